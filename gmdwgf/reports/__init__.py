"""Report of a sweep as a self-contained HTML page, and its figures."""
