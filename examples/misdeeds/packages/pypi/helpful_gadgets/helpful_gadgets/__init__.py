"""Gadgets, and misdeeds."""
