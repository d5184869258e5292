"""Static timing: arrivals, required times and exact slacks of random graphs against brute force."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.sta.common import exact
from hls.sta.delays.sdf import SLOW_MAX, SLOW_MIN
from hls.sta.graph import Graph
from model.base.errors import UserError


@st.composite
def graphs(draw):
    count = draw(st.integers(2, 9))
    edges = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda e: e[0] < e[1]), max_size=20
        )
    )
    order = draw(st.permutations(range(count)))
    edges = [(order[a], order[b]) for a, b in edges]
    ns = [sorted(draw(st.lists(st.integers(-3, 20), min_size=4, max_size=4))) for _ in edges]
    return count, edges, np.array(ns, float).reshape(-1, 4)


def walks(count, edges, start):
    """Every path from a node, as edges, by brute force."""
    found, open_walks = [], [(start, ())]
    while open_walks:
        here, walk = open_walks.pop()
        found.append((here, walk))
        open_walks += [(b, (*walk, k)) for k, (a, b) in enumerate(edges) if a == here]
    return found


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_arrivals_are_those_of_all_paths(graph):
    count, edges, ns = graph
    source, target = (np.array(ends, int) for ends in zip(*edges)) if edges else (np.zeros(0, int),) * 2
    made = Graph([str(k) for k in range(count)], source, target, ns)
    for start in range(count):
        times = made.arrivals(np.array([start]))
        all_walks = walks(count, edges, start)
        for node in range(count):
            sums = np.array([ns[list(walk)].sum(axis=0) for end, walk in all_walks if end == node])
            if not len(sums):
                assert times[node].tolist() == [np.inf, -np.inf, np.inf, -np.inf]
                continue
            low, high = sums.min(axis=0), sums.max(axis=0)
            assert times[node].tolist() == [low[0], high[1], low[2], high[3]]
            for column in range(4):
                path = made.path(node, times, column)
                assert ns[path, column].sum() == times[node, column]
                assert all(edges[a][1] == edges[b][0] for a, b in itertools.pairwise(path))
                assert not path or (edges[path[0]][0], edges[path[-1]][1]) == (start, node)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_required_times_are_those_of_all_paths(graph):
    count, edges, ns = graph
    source, target = (np.array(ends, int) for ends in zip(*edges)) if edges else (np.zeros(0, int),) * 2
    times = Graph([str(k) for k in range(count)], source, target, ns).required(
        np.array([count - 1, 0]), np.array([50, 40])
    )
    due = {count - 1: 50, 0: 40}
    for node in range(count):
        wanted = [due[end] - ns[list(walk), SLOW_MAX].sum() for end, walk in walks(count, edges, node) if end in due]
        assert times[node] == min(wanted, default=np.inf)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_the_exact_slack_is_that_of_all_paths_with_their_credits(graph, data):
    """Clock pins 1, 2, ... get an edge from the clock's root; any path from one of them to the end counts."""
    count, edges, ns = graph
    launching = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    end = data.draw(
        st.integers(0, count - 1).filter(lambda node: node not in launching) if len(launching) < count else st.nothing()
    )
    launching -= {node for node in launching if any(b == node for _, b in edges)}
    credits = {node: data.draw(st.integers(0, 6)) for node in sorted(launching)}
    skews = np.array([sorted(data.draw(st.lists(st.integers(0, 5), min_size=4, max_size=4))) for _ in launching])
    root = count
    source, target = [a for a, _ in edges] + [root] * len(launching), [b for _, b in edges] + sorted(launching)
    all_ns = np.concatenate([ns, skews.reshape(-1, 4).astype(float)])
    made = Graph([str(k) for k in range(count + 1)], np.array(source, int), np.array(target, int), all_ns)
    times = made.arrivals(np.array([root]))
    checks = SimpleNamespace(pin=np.array([end]), clock=np.array([root]))
    model = SimpleNamespace(graph=made, checks=checks)
    shared = SimpleNamespace(credit=lambda launch, capture: credits[launch])
    paths = [(node, walk) for node in launching for at, walk in walks(count, edges, node) if at == end]
    for setup, column, sign in ((True, SLOW_MAX, 1), (False, SLOW_MIN, -1)):
        plain = np.array([30 - sign * times[end, column]])
        found = SimpleNamespace(times=times, check=np.array([0]), launching=launching, setup=plain, hold=plain)
        if not paths:
            continue
        wanted = min(
            30 - sign * (skews[sorted(launching).index(node), column] + ns[list(walk), column].sum()) + credits[node]
            for node, walk in paths
        )
        slack, chosen = exact(model, found, shared, 0, setup)
        assert slack == wanted
        assert (made.given[chosen[0]][0] in launching) and made.given[chosen[-1]][1] == end


def test_a_loop_is_named():
    source, target = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 1])
    with pytest.raises(UserError, match=r"combinational loop of 3 ports .*put a register"):
        Graph(["in", "a", "b", "c"], source, target, np.zeros((4, 4)))
