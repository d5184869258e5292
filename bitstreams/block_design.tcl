# The block design, the same for every board and for both routes: processor, DMA, kernel, one clock.
#
#   processor control port -> axi_control -> axi_dma_0 registers (AMD's AXI DMA, or this project's: dma "own")
#   processor memory port  <- axi_memory  <- axi_dma_0 (reads and writes, 64 bits)
#   axi_dma_0 M_AXIS_MM2S  -> srcnn_top_0 -> axi_dma_0 S_AXIS_S2MM (64 bits)
#   processor clock, 100 MHz -> clk_wiz_0 -> everything
#
# PYNQ sets the divider of the processor's clock by the handoff file, its source stays what the boot image chose: 100 MHz
# is a clock that both processors have; the wizard makes the kernel's from it. boards/<board>.tcl has what differs: find_board_part and create_processor.

proc create_cell {name ip {config {}}} {
    set newest [get_ipdefs -all -filter "VLNV =~ xilinx.com:ip:$ip:* && UPGRADE_VERSIONS == \"\""]
    if {[llength $newest] != 1} {
        fail "this Vivado has [llength $newest] IP of the name $ip where one was expected"
    }
    set cell [create_bd_cell -type ip -vlnv $newest $name]
    if {[llength $config]} {
        set_property -dict $config $cell
    }
    return $cell
}

# The DMA moves whole 64-bit words from and to buffers at page addresses (host/board/driver.py): no scatter-gather, no
# realignment engine. 26 bits are the widest length register: 64 MiB per transfer.
# Returns what differs between AMD's and this project's: names of interfaces, clocks, reset, addresses.
proc create_dma {dma address_bits} {
    if {$dma eq "own"} {
        create_bd_cell -type module -reference dma_axi axi_dma_0
        return [dict create \
            registers s_axi_lite \
            memories {m_axi} \
            sends m_axis_mm2s \
            receives s_axis_s2mm \
            clocks {aclk} \
            reset aresetn \
            segments s_axi_lite/* \
            spaces {m_axi} \
        ]
    }
    create_cell axi_dma_0 axi_dma [list \
        CONFIG.c_include_sg {0} \
        CONFIG.c_sg_include_stscntrl_strm {0} \
        CONFIG.c_sg_length_width {26} \
        CONFIG.c_addr_width $address_bits \
        CONFIG.c_include_mm2s {1} \
        CONFIG.c_include_s2mm {1} \
        CONFIG.c_include_mm2s_dre {0} \
        CONFIG.c_include_s2mm_dre {0} \
        CONFIG.c_m_axi_mm2s_data_width {64} \
        CONFIG.c_m_axis_mm2s_tdata_width {64} \
        CONFIG.c_m_axi_s2mm_data_width {64} \
        CONFIG.c_s_axis_s2mm_tdata_width {64} \
    ]
    return [dict create \
        registers S_AXI_LITE \
        memories {M_AXI_MM2S M_AXI_S2MM} \
        sends M_AXIS_MM2S \
        receives S_AXIS_S2MM \
        clocks {s_axi_lite_aclk m_axi_mm2s_aclk m_axi_s2mm_aclk} \
        reset axi_resetn \
        segments S_AXI_LITE/Reg \
        spaces {Data_MM2S Data_S2MM} \
    ]
}

# Vitis' IP and the open route's module differ in the names of their ports, not in their kinds.
proc create_kernel {rtl} {
    if {$rtl eq "open"} {
        return [create_bd_cell -type module -reference srcnn_axi srcnn_top_0]
    }
    return [create_bd_cell -type ip -vlnv xilinx.com:hls:srcnn_top:1.0 srcnn_top_0]
}

proc the_only {what found} {
    if {[llength $found] != 1} {
        fail "the block design has [llength $found] $what where one was expected"
    }
    return $found
}

proc kernel_stream {kernel mode} {
    the_only "streams in mode $mode" \
        [get_bd_intf_pins -of_objects $kernel -filter "MODE == $mode && VLNV =~ xilinx.com:interface:axis_rtl:*"]
}

proc kernel_pin {kernel type} {
    the_only "pins of type $type" [get_bd_pins -of_objects $kernel -filter "DIR == I && TYPE == $type"]
}

proc create_block_design {clock_mhz rtl dma} {
    create_bd_design srcnn
    set processor [create_processor]
    dict with processor {}
    set ends [create_dma $dma $address_bits]
    set memories [dict get $ends memories]
    set kernel [create_kernel $rtl]
    create_cell clk_wiz_0 clk_wiz [list \
        CONFIG.PRIM_SOURCE {No_buffer} \
        CONFIG.CLKOUT1_REQUESTED_OUT_FREQ [format %.3f $clock_mhz] \
        CONFIG.RESET_TYPE {ACTIVE_LOW} \
        CONFIG.RESET_PORT {resetn} \
        CONFIG.USE_LOCKED {true} \
    ]
    create_cell proc_sys_reset_0 proc_sys_reset
    create_cell axi_control smartconnect [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {1} CONFIG.NUM_CLKS {1}]
    create_cell axi_memory smartconnect [list CONFIG.NUM_SI [llength $memories] CONFIG.NUM_MI {1} CONFIG.NUM_CLKS {1}]

    # Data.
    connect_bd_intf_net [get_bd_intf_pins $control] [get_bd_intf_pins axi_control/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins axi_control/M00_AXI] [get_bd_intf_pins axi_dma_0/[dict get $ends registers]]
    foreach memory_end $memories port {S00_AXI S01_AXI} {
        if {$memory_end ne ""} {
            connect_bd_intf_net [get_bd_intf_pins axi_dma_0/$memory_end] [get_bd_intf_pins axi_memory/$port]
        }
    }
    connect_bd_intf_net [get_bd_intf_pins axi_memory/M00_AXI] [get_bd_intf_pins $memory]
    connect_bd_intf_net [get_bd_intf_pins axi_dma_0/[dict get $ends sends]] [kernel_stream $kernel Slave]
    connect_bd_intf_net [kernel_stream $kernel Master] [get_bd_intf_pins axi_dma_0/[dict get $ends receives]]

    # Clock.
    connect_bd_net [get_bd_pins $clock] [get_bd_pins clk_wiz_0/clk_in1]
    connect_bd_net [get_bd_pins clk_wiz_0/clk_out1] \
        [get_bd_pins $control_clock] [get_bd_pins $memory_clock] \
        [get_bd_pins axi_control/aclk] [get_bd_pins axi_memory/aclk] \
        [get_bd_pins proc_sys_reset_0/slowest_sync_clk] [kernel_pin $kernel clk]
    foreach dma_clock [dict get $ends clocks] {
        connect_bd_net [get_bd_pins clk_wiz_0/clk_out1] [get_bd_pins axi_dma_0/$dma_clock]
    }

    # Reset: Vitis' IP takes it active low, the open route's module active high.
    connect_bd_net [get_bd_pins $reset] [get_bd_pins clk_wiz_0/resetn] [get_bd_pins proc_sys_reset_0/ext_reset_in]
    connect_bd_net [get_bd_pins clk_wiz_0/locked] [get_bd_pins proc_sys_reset_0/dcm_locked]
    connect_bd_net [get_bd_pins proc_sys_reset_0/peripheral_aresetn] \
        [get_bd_pins axi_control/aresetn] [get_bd_pins axi_memory/aresetn] [get_bd_pins axi_dma_0/[dict get $ends reset]]
    set kernel_reset [kernel_pin $kernel rst]
    set polarity [expr {$rtl eq "open" ? "ACTIVE_HIGH" : "ACTIVE_LOW"}]
    if {[get_property CONFIG.POLARITY $kernel_reset] ne $polarity} {
        fail "the kernel's reset is [get_property CONFIG.POLARITY $kernel_reset], not $polarity"
    }
    if {$rtl eq "open"} {
        connect_bd_net [get_bd_pins proc_sys_reset_0/peripheral_reset] $kernel_reset
    } else {
        connect_bd_net [get_bd_pins proc_sys_reset_0/peripheral_aresetn] $kernel_reset
    }

    # Addresses: the processor sees the DMA's registers, the DMA the processor's DDR and nothing else.
    assign_bd_address -offset $control_offset -range 64K -target_address_space [get_bd_addr_spaces $space] \
        [the_only {address segments of the DMA} [get_bd_addr_segs axi_dma_0/[dict get $ends segments]]]
    foreach dma_space [dict get $ends spaces] {
        foreach name $ddr {
            assign_bd_address -target_address_space [get_bd_addr_spaces axi_dma_0/$dma_space] [get_bd_addr_segs $segments/$name]
        }
        foreach name $not_ddr {
            set segment [get_bd_addr_segs -quiet $segments/$name]
            if {[llength $segment]} {
                exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces axi_dma_0/$dma_space] $segment
            }
        }
    }
    validate_bd_design
    save_bd_design
}
