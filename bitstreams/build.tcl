# From sources to a placed and routed overlay, in Vivado's batch mode. Started by bitstreams/build.py:
#
#   vivado -mode batch -source build.tcl -tclargs settings.tcl
#
# settings.tcl sets: board, part, clock_mhz, rtl ("open" or "vitis"), dma ("ip" or "own"), sources (files), ip_repository (folder), jobs, output.
# Results in $output: srcnn.bit, srcnn.hwh, timing.rpt, utilization.rpt, facts.txt (key value per line).

set here [file dirname [file normalize [info script]]]
source [lindex $argv 0]

# Vivado marks only its own errors; build.py looks for the mark.
proc fail {message} {
    error "ERROR: $message"
}

proc check_run {run} {
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        fail "$run did not finish, its state is [get_property STATUS [get_runs $run]]"
    }
}

create_project -force -part $part srcnn $output/project
source $here/boards/$board.tcl
set board_part [find_board_part]
if {$board_part ne ""} {
    set_property board_part $board_part [current_project]
}
set_property target_language Verilog [current_project]

# The top of a module reference has to be Verilog: srcnn_axi.v, dma_axi.v; what it instantiates may be SystemVerilog.
if {$rtl eq "open"} {
    lappend sources $here/srcnn_axi.v
} else {
    set_property ip_repo_paths [list $ip_repository] [current_project]
    update_ip_catalog -rebuild
}
if {[llength $sources]} {
    add_files -norecurse $sources
    set_property verilog_define SYNTHESIS=1 [current_fileset]  ;# the checks of a simulation are no hardware
    update_compile_order -fileset sources_1
}

source $here/block_design.tcl
create_block_design $clock_mhz $rtl $dma
set achieved_hz [get_property CONFIG.FREQ_HZ [get_bd_pins clk_wiz_0/clk_out1]]

generate_target all [get_files srcnn.bd]
make_wrapper -files [get_files srcnn.bd] -top -import
set_property top srcnn_wrapper [current_fileset]
update_compile_order -fileset sources_1

launch_runs synth_1 -jobs $jobs
wait_on_run synth_1
check_run synth_1
launch_runs impl_1 -jobs $jobs
wait_on_run impl_1
check_run impl_1

open_run impl_1
report_timing_summary -delay_type min_max -file $output/timing.rpt
report_utilization -file $output/utilization.rpt
write_bitstream -force $output/srcnn.bit
file copy -force $output/project/srcnn.gen/sources_1/bd/srcnn/hw_handoff/srcnn.hwh $output/srcnn.hwh

set facts [open $output/facts.txt w]
puts $facts "vivado [version -short]"
puts $facts "clock_hz $achieved_hz"
close $facts
