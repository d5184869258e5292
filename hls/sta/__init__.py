"""Static timing of a decoded bitstream, by the delays of Project X-Ray's database (docs/bit-timing.md)."""
