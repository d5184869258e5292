# AMD Kria KV260. The processor's own settings (DDR4, pins) come from the SOM's board files, which come with Vivado.

proc find_board_part {} {
    set found [lsort -dictionary [get_board_parts -quiet xilinx.com:kv260_som:part0:*]]
    if {![llength $found]} {
        fail "this Vivado has no board files of the KV260 SOM (xilinx.com:kv260_som), add the Kria boards with Vivado's installer or its board store"
    }
    return [lindex $found end]
}

# Only what lies in the fabric matters to an overlay: the carrier's peripherals are set up by the boot firmware.
proc create_processor {} {
    set name zynq_ultra_ps_e_0
    set cell [create_cell $name zynq_ultra_ps_e]
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} $cell
    set_property -dict [list \
        CONFIG.PSU__FPGA_PL0_ENABLE {1} \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {IOPLL} \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100} \
        CONFIG.PSU__USE__M_AXI_GP0 {1} \
        CONFIG.PSU__MAXIGP0__DATA_WIDTH {32} \
        CONFIG.PSU__USE__M_AXI_GP1 {0} \
        CONFIG.PSU__USE__M_AXI_GP2 {0} \
        CONFIG.PSU__USE__S_AXI_GP2 {1} \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH {64} \
    ] $cell
    return [dict create \
        clock $name/pl_clk0 \
        reset $name/pl_resetn0 \
        control $name/M_AXI_HPM0_FPD \
        control_clock $name/maxihpm0_fpd_aclk \
        control_offset 0xA0000000 \
        memory $name/S_AXI_HP0_FPD \
        memory_clock $name/saxihp0_fpd_aclk \
        space $name/Data \
        segments $name/SAXIGP2 \
        ddr {HP0_DDR_LOW HP0_DDR_HIGH} \
        not_ddr {HP0_LPS_OCM HP0_QSPI HP0_PCIE_LOW HP0_PCIE_HIGH1 HP0_PCIE_HIGH2} \
        address_bits 40 \
    ]
}
