# PYNQ-Z2: the four green LEDs, LD0 to LD3 (TUL's master constraints; nextpnr reads no -dict).
set_property LOC R14 [get_ports {led[0]}]
set_property LOC P14 [get_ports {led[1]}]
set_property LOC N16 [get_ports {led[2]}]
set_property LOC M14 [get_ports {led[3]}]
set_property IOSTANDARD LVCMOS33 [get_ports {led[0]}]
set_property IOSTANDARD LVCMOS33 [get_ports {led[1]}]
set_property IOSTANDARD LVCMOS33 [get_ports {led[2]}]
set_property IOSTANDARD LVCMOS33 [get_ports {led[3]}]
