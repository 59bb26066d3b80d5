"""The shop's API: takes orders, keeps them in a stream, and reads them back."""
