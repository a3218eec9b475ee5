"""One module a noun. A route says what it lets whom do, calls one operation or query, and
shapes the answer."""
