"""A sweep as one page that opens from disk: what it says, and how it is put together."""
