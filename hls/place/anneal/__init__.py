"""A placement made better: simulated annealing of what nextpnr-xilinx has placed (`run.improve`)."""
