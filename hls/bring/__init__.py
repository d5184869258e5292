"""Networks that were trained elsewhere: read, quantised, compared, and what boards make of them: `make import`."""
