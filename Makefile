# `make help` lists the targets. Everything generated lies in build/.
PYTHON  ?= python3
BUILD   := build
VENV    := $(BUILD)/venv
PY      := $(VENV)/bin/python
READY   := $(VENV)/.ready
PYNQ    ?= 3.0.1
ON_PYNQ := $(BUILD)/pynq-$(PYNQ)/.ready

NETWORK ?= $(or $(NET),srcnn915)
BOARD   ?= pynq_z2
# An option of a command, if its variable was given: $(call given,BOARD,--board)
given = $(if $(findstring command,$(origin $(1))),$(2) $($(1)))
UPSCALE ?= 3
RTL     ?= vitis
DMA     ?= ip
TOOLS   ?= vendor
DESIGN  ?= srcnn
N       ?= 3000
SEED    ?= 1
SEEDS   ?= 1
DEGRADATION ?= standard
METHODS ?= bilinear,bicubic,float,golden
TESTS   ?= tests sim
# What is to be made hardware: the factor only if it was given.
HARDWARE = --network $(NETWORK) --board $(BOARD) $(call given,UPSCALE,--upscale)
REPORT  ?= $(BUILD)/reports/prove.json
MODEL   ?= $(error say which network: MODEL=net.onnx)
IMG     ?= $(error say which picture or folder: IMG=photo.png)

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*\#\#.*/\1/p' $(MAKEFILE_LIST))  # all that `make help` lists

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(READY) $(ON_PYNQ)  ## virtual environment in build/venv with pinned packages
$(READY): pyproject.toml constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { echo "error: python3 cannot make a virtual environment; install it (Debian: apt-get install python3-venv) and run make again" >&2; exit 2; }
	@command -v g++ >/dev/null || { echo "error: g++ was not found; install it (Debian: apt-get install g++) and run make again" >&2; exit 2; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,csim,rtl,sim,synth,video,heif,dask,onnx,serve,test]'
	@touch $@

$(ON_PYNQ): tests/stand_ins/pynq/pynq.txt
	@echo "setting up $(@D): the pynq package, to test the driver on (once, about a minute)"
	@$(PYTHON) -m venv $(@D) && PYNQ_REMOTE=1 $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/stand_ins/pynq/pynq.txt pynq==$(PYNQ) \
		&& touch $@ || echo "note: pynq $(PYNQ) cannot be installed here, the tests on it will be skipped" >&2

demo: $(READY)  ## upscale a picture with the C++ kernels, compare, draw a figure
	$(PY) -m host.measure.demo

test: $(READY) $(ON_PYNQ)  ## all tests, or TESTS=tests/hls/test_rtl.py ARGS=-x
	$(PY) -m pytest -n 2 --dist worksteal $(ARGS) $(TESTS)

lint: $(READY)  ## ruff for Python, clang-format for C++, which way imports go
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m hls.vendor.format_cpp --check
	$(VENV)/bin/lint-imports --no-logo

format: $(READY)  ## what make lint asks for, as far as tools can do it
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) -m hls.vendor.format_cpp

conformance: $(READY) $(ON_PYNQ)  ## the driver on PYNQ's own code: PYNQ=3.1.2
	$(PY) -m pytest -v tests/boards/test_pynq.py

spec: $(READY)  ## modelled cycles and rates of every network on every board
	$(PY) -m hls.report.spec

folding: $(READY)  ## the best PE x SIMD per stage: BOARD= NETWORK= UPSCALE= ARGS=--lut-products
	$(PY) -m hls.report.folding $(HARDWARE) $(ARGS)

folding-figure: $(READY)  ## where the DSPs' cycles go, per stage: table and docs/images/folding.svg
	$(PY) -m hls.report.occupancy

csim: $(READY)  ## C++ kernels against the golden model, with AMD's types and natively: NETWORK= UPSCALE=
	$(PY) -m hls.csim $(HARDWARE)

rtl: $(READY)  ## Verilog of srcnn_top from the same C++, by the open route: NETWORK= UPSCALE= BOARD=
	$(PY) -m hls.generate.verilog $(HARDWARE)

hls: $(READY)  ## Vitis HLS: C simulation, synthesis, co-simulation, IP: NETWORK= UPSCALE= BOARD=
	$(PY) -m hls.vendor.vitis $(HARDWARE)

bitstream: $(READY)  ## overlay into bitstreams/BOARD, by Vivado (RTL=vitis or open, DMA=ip or own) or TOOLS=open (DESIGN=srcnn): NETWORK= UPSCALE= BOARD=
	$(if $(filter vendor open,$(TOOLS)),,$(error TOOLS=$(TOOLS): choose vendor or open))
	$(if $(filter open,$(TOOLS)),$(PY) -m bitstreams.open $(HARDWARE) --design $(DESIGN),$(PY) -m bitstreams.build $(HARDWARE) --rtl $(RTL) --dma $(DMA))

bitcheck: $(READY)  ## a packed .bit against the golden model, as its own netlist: BOARD= DESIGN=blink, register, loop or srcnn ARGS="--plant lut"
	$(PY) -m sim.bitcheck --board $(BOARD) --design $(DESIGN) $(ARGS)

synth: $(READY)  ## DSPs, RAMs, LUTs, flip-flops by Yosys: BOARD=pynq_z2 or kv260 NETWORK= UPSCALE=
	$(PY) -m hls.synth $(HARDWARE)

examples: $(READY)  ## the compiler's examples: stages, clock, resources: ARGS=--update-docs
	$(PY) -m hls.synth.examples $(ARGS)

timing: $(READY)  ## clock and critical path per stage, on another fabric: SEEDS=1; of a .bit with TOOLS=open: DESIGN=srcnn ARGS=--compare
	$(if $(filter vendor open,$(TOOLS)),,$(error TOOLS=$(TOOLS): choose open, of a .bit; without it, of the stages' Verilog))
	$(if $(filter open,$(TOOLS)),$(PY) -m bitstreams.open.timing $(HARDWARE) --design $(DESIGN) $(ARGS),$(PY) -m hls.synth.timing $(HARDWARE) --seeds $(SEEDS))

sim: $(READY)  ## the Verilog in cocotb and Verilator against the golden model
	$(PY) -m pytest -n 2 --dist worksteal sim

choose: $(READY)  ## networks that keep up with video, and how good they are: BOARD= UPSCALE= SIZE=1080p FPS=60 NETWORK= ARGS=
	$(PY) -m hls.report.choose $(call given,BOARD,--board) $(call given,UPSCALE,--upscale) \
		$(call given,SIZE,--size) $(call given,FPS,--fps) $(call given,NETWORK,--network) $(ARGS)

rtlsim-frame: $(READY)  ## a whole picture through the Verilog, compiled harness: IMG=photo.png NETWORK= UPSCALE= BOARD=
	$(PY) -m sim.run.frame $(IMG) $(HARDWARE) $(ARGS)

frames: $(READY)  ## a frame of every network for video through the Verilog, bits and cycles, interruptible: BOARD= NETWORK= UPSCALE=
	$(PY) -m sim.run.frames $(call given,BOARD,--board) $(call given,NETWORK,--network) \
		$(call given,UPSCALE,--upscale) $(ARGS)

prove: $(READY)  ## FIFO, RAM, merge, stages in all cycles, the DMA's AXI; planted faults: REPORT=docs/results/prove.json
	@made=$$($(PY) -m hls.generate.cpp $(HARDWARE)) && \
		$(PY) -m hls.open.prove $$made/srcnn_top.hpp packer=srcnn::packer_kernel parser=srcnn::parser_kernel \
			-I hls/kernels -I $$made --report $(REPORT) $(ARGS)
	@$(PY) -m hls.dma.prove --report $(BUILD)/reports/prove_dma.json $(ARGS)

mutation: $(READY)  ## broken kernels have to be caught: ARGS=--update-docs
	$(PY) -m sim.mutation $(ARGS)

fuzz: $(READY)  ## random kernels through the open route against g++, interruptible: N=3000 SEED=1 ARGS=--update-docs
	$(PY) -m sim.fuzz -n $(N) --seed $(SEED) $(ARGS)

train: $(READY)  ## train: NETWORK= UPSCALE= DEGRADATION= DATA=folder ARGS=
	$(PY) -m model.train --network $(NETWORK) --upscale $(UPSCALE) --degradation $(DEGRADATION) $(call given,DATA,--data) $(ARGS)

import: $(READY)  ## a network trained elsewhere, read, quantised, put on boards: MODEL=net.onnx UPSCALE= WHITE= DATA= BOARD= SIZE= FPS= ARGS=--add
	$(PY) -m hls.bring $(MODEL) $(call given,UPSCALE,--upscale) $(call given,WHITE,--white) $(call given,DATA,--data) \
		$(call given,BOARD,--board) $(call given,SIZE,--size) $(call given,FPS,--fps) $(ARGS)

quantise: $(READY)  ## float weights to fixed point, searched: NETWORK= UPSCALE= DEGRADATION= DATA= ARGS=
	$(PY) -m model.quantise --network $(NETWORK) --upscale $(UPSCALE) --degradation $(DEGRADATION) $(call given,DATA,--data) $(ARGS)

finetune: $(READY)  ## the same, then trained on in integers: NETWORK= UPSCALE= DEGRADATION=
	$(PY) -m model.train.finetune --network $(NETWORK) --upscale $(UPSCALE) --degradation $(DEGRADATION) $(call given,DATA,--data) $(ARGS)

evaluate: $(READY)  ## quality of all committed weights on Set5 and Set14: METHODS=golden,csim ARGS=--check
	$(PY) -m host.measure.evaluate --methods $(METHODS) $(ARGS)

evaluate-photo: $(READY)  ## gain over bicubic on twelve kinds of small pictures, standard and photo weights: ARGS=--update-docs
	$(PY) -m host.measure.photo.evaluate $(ARGS)

results: $(READY)  ## measure and write the committed results, figures and every generated table
	$(PY) -m host.measure.evaluate --update-docs

pages: $(READY)  ## every generated table of README.md and docs/, nothing measured
	$(PY) -m host.measure.pages

ablations: $(READY)  ## what each choice of the training is worth, interruptible: ARGS=--update-docs
	$(PY) -m model.train.ablations $(ARGS)

compare: $(READY)  ## every method on your pictures: IMG=file or folder NETWORK= UPSCALE=
	$(PY) -m host.measure.compare $(IMG) --network $(NETWORK) --upscale $(UPSCALE)

bench: $(READY)  ## speed: TensorFlow, onnxruntime, cpu, golden, csim; the accelerator's modelled rate: NETWORK= UPSCALE= ARGS=
	$(PY) -m host.measure.bench --network $(NETWORK) --upscale $(UPSCALE) $(ARGS)

bench-host: $(READY)  ## time of every step from file to file, and of packing tiles: NETWORK= UPSCALE=
	$(PY) -m host.measure.bench_host --network $(NETWORK) --upscale $(UPSCALE)

bench-dask: $(READY)  ## throughput with two local Dask workers against one
	$(PY) -m host.measure.bench_dask

serve: $(READY)  ## a web page on this machine to drop pictures and clips on: ARGS="--port 8001"
	$(PY) host/serve.py $(ARGS)

screenshot: $(READY)  ## docs/images/serve.png, the server's page in a real browser
	$(PY) -m host.measure.screenshot

download: $(READY)  ## the authors' picture sets into build/data
	$(PY) -m model.data.download

clean:  ## remove build/, but for the data sets and trainings
	@test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name data ! -name train -exec rm -rf {} +
