"""What the shop sells. The list is part of the code; the files of the example carry the same for people."""

PRICES = {
    "anchor-chain": 18_900,
    "signal-lamp": 4_250,
    "storm-lantern": 3_100,
}
"""Item to price in cents."""
