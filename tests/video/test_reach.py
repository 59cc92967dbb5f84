"""Which packets are decoded for which frames."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.video.reach import PacketOrder, Run, plan_runs, share_out


def order_of(groups: list[list[int]], hidden: tuple[int, ...] = ()) -> PacketOrder:
    """Groups of pictures by the ticks of their packets, each begun by an entry."""
    pts = [ticks for group in groups for ticks in group]
    begins = np.cumsum([0] + [len(group) for group in groups[:-1]])
    discarded = np.zeros(len(pts), dtype=np.bool_)
    discarded[list(hidden)] = True
    return PacketOrder(np.array(pts), discarded, np.array(begins), None)


def test_a_run_goes_from_the_entry_to_the_wanted_frame() -> None:
    order = order_of([[0, 3, 1, 2, 6, 4, 5], [7, 10, 8, 9]])
    assert plan_runs(order, [2]) == [Run(0, 3, (2,))]
    assert plan_runs(order, [0, 9]) == [Run(0, 0, (0,)), Run(7, 10, (9,))]


def test_wanted_frames_of_one_group_share_a_run() -> None:
    order = order_of([[0, 3, 1, 2, 6, 4, 5], [7, 10, 8, 9]])
    assert plan_runs(order, [1, 6, 8]) == [Run(0, 4, (1, 6)), Run(7, 9, (8,))]


def test_a_leading_picture_is_reached_from_the_group_before() -> None:
    order = order_of([[0, 2, 1], [5, 3, 4, 8, 6, 7]])
    assert plan_runs(order, [4]) == [Run(0, 5, (4,))]
    assert plan_runs(order, [6]) == [Run(3, 7, (6,))]


def test_a_file_that_begins_with_no_entry_is_decoded_from_its_first_packet() -> None:
    order = order_of([[0, 1, 2], [3, 4]])
    late = PacketOrder(order.pts, order.discarded, order.entries[1:], None)
    assert plan_runs(late, [1]) == [Run(0, 1, (1,))]


def test_a_packet_that_is_not_shown_is_not_taken_for_one_that_is() -> None:
    order = order_of([[0, 1, 2, 2, 3]], hidden=(0, 1, 2))
    assert plan_runs(order, [2]) == [Run(0, 3, (2,))]


@st.composite
def orders(draw: st.DrawFn) -> PacketOrder:
    """Open and closed groups of pictures, in some decoding order."""
    groups, begin = [], 0
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(1, 8))
        lead = draw(st.integers(0, min(3, size - 1)))
        rest = draw(st.permutations([begin + n for n in range(size) if n != lead]))
        groups.append([begin + lead, *rest])
        begin += size
    return order_of(groups)


@given(orders(), st.data())
def test_every_wanted_frame_is_in_one_run_behind_an_entry_that_is_shown_before_it(
    order: PacketOrder, data: st.DataObject
) -> None:
    ticks = sorted(order.pts.tolist())
    wanted = sorted(data.draw(st.sets(st.sampled_from(ticks), min_size=1)))
    runs = plan_runs(order, wanted)
    assert [one for run in runs for one in run.wanted] == wanted
    assert all(before.last < after.first for before, after in zip(runs, runs[1:], strict=False))
    for run in runs:
        places = [order.pts.tolist().index(one) for one in run.wanted]
        assert run.last == max(places)
        assert run.first == 0 or (run.first in order.entries and order.pts[run.first] <= run.wanted[0])


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 8))
def test_runs_are_shared_out_in_order_and_about_evenly(lengths: list[int], parts: int) -> None:
    ends = np.cumsum(lengths).tolist()
    runs = [Run(end - length, end - 1, (end,)) for end, length in zip(ends, lengths, strict=True)]
    rows = share_out(runs, parts)
    assert [run for row in rows for run in row] == runs
    assert 1 <= len(rows) <= parts
    assert all(rows)
    fair = sum(lengths) / parts
    assert all(sum(run.last - run.first + 1 for run in row) <= fair + max(lengths) for row in rows)
