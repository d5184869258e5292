# `make help` lists the targets. Everything generated lies in build/.
PYTHON  ?= python3
BUILD   := build
VENV    := $(BUILD)/venv
PY      := $(VENV)/bin/python
READY   := $(VENV)/.ready

NETWORK ?= srcnn915
BOARD   ?= pynq_z2
UPSCALE ?= 3
N       ?= 3000
SEED    ?= 1
DEGRADATION ?= standard
IMG     ?= $(error say which picture or folder: IMG=photo.png)

.DEFAULT_GOAL := help
.PHONY: help setup demo test spec csim rtl sim rtlsim-frame mutation fuzz train quantise evaluate compare bench bench-dask download clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(READY)  ## virtual environment in build/venv with pinned packages
$(READY): pyproject.toml constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { echo "error: python3 cannot make a virtual environment; install it (Debian: apt-get install python3-venv) and run make again" >&2; exit 2; }
	@command -v g++ >/dev/null || { echo "error: g++ was not found; install it (Debian: apt-get install g++) and run make again" >&2; exit 2; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,csim,rtl,sim,video,dask,test]'
	@touch $@

demo: $(READY)  ## upscale a picture with the C++ kernels, compare, draw a figure
	$(PY) -m model.demo

test: $(READY)  ## all tests
	$(PY) -m pytest -n 2 --dist worksteal tests sim

spec: $(READY)  ## modelled cycles and rates of every network on every board
	$(PY) -m hls.spec

csim: $(READY)  ## C++ kernels against the golden model, with AMD's types and natively
	$(PY) -m hls.csim --network $(NETWORK) --board $(BOARD)

rtl: $(READY)  ## Verilog of srcnn_top from the same C++, by the open route
	$(PY) -m hls.rtl --network $(NETWORK) --board $(BOARD)

sim: $(READY)  ## the Verilog in cocotb and Verilator against the golden model
	$(PY) -m pytest -n 2 --dist worksteal sim

rtlsim-frame: $(READY)  ## a whole picture through the Verilog, compiled harness: IMG=photo.png
	$(PY) -m sim.frame $(IMG)

mutation: $(READY)  ## broken kernels have to be caught
	$(PY) -m sim.mutation

fuzz: $(READY)  ## random kernels through the open route against g++: N=3000 SEED=1
	$(PY) -m hls.open.fuzz -n $(N) --seed $(SEED)

train: $(READY)  ## train: NETWORK= UPSCALE= DEGRADATION=
	$(PY) -m model.train --network $(NETWORK) --upscale $(UPSCALE) --degradation $(DEGRADATION)

quantise: $(READY)  ## float weights to fixed point: NETWORK= UPSCALE=
	$(PY) -m model.quantise --network $(NETWORK) --upscale $(UPSCALE)

evaluate: $(READY)  ## quality of all committed weights on Set5 and Set14
	$(PY) -m model.evaluate

compare: $(READY)  ## every method on your pictures: IMG=file or folder
	$(PY) -m model.compare $(IMG) --upscale $(UPSCALE)

bench: $(READY)  ## speed: TensorFlow, golden, csim
	$(PY) -m model.bench

bench-dask: $(READY)  ## throughput with two local Dask workers against one
	$(PY) -m host.cluster_bench

download: $(READY)  ## the authors' picture sets into build/data
	$(PY) -m model.download

clean:  ## remove build/, but for the data sets and trainings
	@test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name data ! -name train -exec rm -rf {} +
