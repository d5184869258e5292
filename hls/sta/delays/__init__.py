"""Project X-Ray's delays: files, tile types, and what one cell with its settings takes."""
