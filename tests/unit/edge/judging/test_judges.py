"""Several who judge: whatever is looked at ahead, and whoever dies, each joint is told what its own slices show."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import JudgeLost
from edge.core.verdict import Call
from edge.judging.client import Judges
from tests.support.fakes import FakeWorker
from tests.support.shown import FAULTY, SOUND, TORN, Reader, boards, started, told, worker


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_is_looked_at_ahead_is_read_once_though_its_folder_is_moved_meanwhile(count: int) -> None:
    reader = Reader()
    with boards(*[[SOUND, FAULTY]] * 5) as jobs:
        judges = started([worker(reader) for _ in range(count)])
        for number, board in enumerate(jobs):
            following = [other.batch(most=1) for other in jobs[number + 1 :][:count]]
            verdicts = list(judges.views(board.batch(), lambda: None, following))
            assert told(verdicts) == board.truth()
            for other in jobs[number + 1 :][:1]:
                other.move()
    assert len(reader.read) == 2 * len(jobs)


@pytest.mark.parametrize("count", [1, 2])
def test_while_one_view_is_written_down_the_others_are_at_the_next(count: int) -> None:
    """Each has the one after that, too, so that it need not wait for whoever writes."""
    reader = Reader()
    with boards(*[[SOUND]] * 6) as jobs:
        judges = started([worker(reader) for _ in range(count)])
        verdicts = judges.views(jobs[0].batch(), lambda: None, [other.batch() for other in jobs[1:]])
        next(verdicts)
        assert [Path(file).parent.name for file in reader.read] == [f"L-{i}" for i in range(2 * count + 1)]


def test_joints_that_were_decided_before_are_not_what_was_looked_at_ahead() -> None:
    """A job half of which an earlier run decided: its view is read again, and only what is left is judged."""
    with boards([SOUND], [FAULTY]) as (first, second):
        judges = started([worker(Reader()) for _ in range(2)])
        list(judges.views(first.batch(), lambda: None, [second.batch()]))
        verdicts = list(judges.views(second.batch(decided={"J0.0"}), lambda: None))
    assert told(verdicts) == {"J0.1": Call.DEFECT}


def test_what_was_looked_at_ahead_is_not_believed_once_a_file_was_changed() -> None:
    with boards([SOUND], [SOUND]) as (first, second):
        judges = started([worker(Reader()) for _ in range(2)])
        list(judges.views(first.batch(), lambda: None, [second.batch()]))
        second.change(0, FAULTY)
        assert told(list(judges.views(second.batch(), lambda: None))) == second.truth()


def test_a_job_that_never_comes_costs_no_process() -> None:
    """Looked at ahead and taken back by its sender: whoever was at it would never be listened to again."""
    with boards([SOUND], [SOUND], [SOUND]) as (first, gone, last):
        workers = [worker(Reader()) for _ in range(2)]
        judges = started(workers)
        list(judges.views(first.batch(), lambda: None, [gone.batch()]))
        assert told(list(judges.views(last.batch(), lambda: None))) == last.truth()
        assert not any(one.tasks for one in workers)
        assert len(judges.pids) == 2


def test_another_job_under_the_name_that_one_had_is_not_judged_in_its_place() -> None:
    """Claimed, and so moved, before the process that was to look at it ahead opened its folder."""
    with boards([SOUND], [FAULTY]) as (first, second):
        judges = started([worker(Reader()), worker(Reader(), late=True)])
        list(judges.views(first.batch(), lambda: None, [second.batch()]))
        second.move()
        assert told(list(judges.views(second.batch(), lambda: None))) == second.truth()


def test_the_dead_are_replaced_though_what_comes_next_is_always_given_out_already() -> None:
    with boards(*[[SOUND]] * 6) as jobs:
        workers = [worker(Reader()) for _ in range(2)]
        judges = started(workers)
        alive = []
        for number, board in enumerate(jobs):
            if number == 2:
                workers[0].close()
            following = [other.batch() for other in jobs[number + 1 :][:2]]
            with suppress(JudgeLost):
                list(judges.views(board.batch(), lambda: None, following))
            alive.append(len(judges.pids))
    assert alive[-3:] == [2, 2, 2]


def test_those_that_cannot_be_started_anew_cost_no_job_while_another_lives() -> None:
    with boards(*[[SOUND]] * 12) as jobs:
        workers = [worker(Reader(), late=True) for _ in range(3)]
        judges = started(workers)
        following = [other.batch() for other in jobs[6:]]
        for number, board in enumerate(jobs[:6]):  # nobody looked at these ahead, and all are at others
            assert told(list(judges.views(board.batch(), lambda: None, following))) == board.truth()
            for one in workers[:number][:2]:
                one.unstartable = True
                one.close()
        workers[2].close()
        workers[2].unstartable = True
        with pytest.raises(JudgeLost, match="cannot be started"):
            list(judges.views(jobs[0].batch(), lambda: None))


def test_a_process_that_takes_nothing_more_while_it_owes_the_view_in_hand_is_lost_over_that_view() -> None:
    """It is dying, and what comes next cannot be given to it; nobody may listen to it any more."""
    with boards(*[[SOUND]] * 4) as jobs:
        workers = [worker(Reader(), late=True)]
        judges = started(workers)
        list(judges.views(jobs[0].batch(), lambda: None, [jobs[1].batch()]))
        workers[0].deaf = True
        with pytest.raises(JudgeLost):
            list(judges.views(jobs[1].batch(), lambda: None, [jobs[2].batch(), jobs[3].batch()]))
        assert told(list(judges.views(jobs[1].batch(), lambda: None))) == jobs[1].truth()


def test_a_system_without_room_for_another_process_holds_nothing_up_while_one_lives() -> None:
    class Unborn(FakeWorker):
        def launch(self) -> None:
            if self.unstartable:
                raise OSError(12, "cannot allocate memory")
            super().launch()

    with boards(*[[SOUND]] * 3) as jobs:
        born = worker(Reader())
        unborn = Unborn(born._judge)
        judges = started([born, unborn])
        unborn.unstartable = True
        unborn.close()
        for board in jobs:
            assert told(list(judges.views(board.batch(), lambda: None))) == board.truth()
        born.close()
        with pytest.raises(OSError, match="cannot allocate"):
            Judges([unborn], lambda: 0.0)._revive(lambda: None)  # type: ignore[list-item]


def test_a_view_whose_turn_comes_while_all_are_at_later_ones_waits_for_one_of_them() -> None:
    reader = Reader()
    with boards(*[[SOUND]] * 4) as (first, second, third, sudden):
        judges = started([worker(reader) for _ in range(2)])
        later = [second.batch(), third.batch()]
        list(judges.views(first.batch(), lambda: None, later))
        assert told(list(judges.views(sudden.batch(), lambda: None, later))) == sudden.truth()
        for board, following in ((second, [third.batch()]), (third, [])):
            assert told(list(judges.views(board.batch(), lambda: None, following))) == board.truth()
    assert len(reader.read) == 4, "what was looked at ahead is not lost"


def test_a_process_that_dies_over_what_it_looks_at_ahead_costs_that_job_an_attempt_and_no_other() -> None:
    with boards([SOUND, SOUND], [FAULTY]) as (first, second):
        workers = [worker(Reader()), worker(Reader(), late=True, dies_at={0})]
        judges = started(workers)
        assert told(list(judges.views(first.batch(most=1), lambda: None, [second.batch()]))) == {
            "J0.0": Call.NORMAL,
            "J0.1": Call.NORMAL,
        }
        with pytest.raises(JudgeLost):
            list(judges.views(second.batch(), lambda: None))
        assert told(list(judges.views(first.batch(decided={"J0.0", "J0.1"}), lambda: None))) == {
            "J1.0": Call.NORMAL,
            "J1.1": Call.NORMAL,
        }


def test_words_out_of_turn_are_not_taken() -> None:
    with boards([SOUND], [FAULTY]) as (first, second):
        one = worker(Reader())
        judges = started([one])
        verdicts = judges.views(first.batch(), lambda: None, [second.batch()])
        list(verdicts)
        (_, replies) = one.tasks[0]
        replies[0] = msgspec.structs.replace(replies[0], verdicts=tuple(reversed(replies[0].verdicts)))  # type: ignore[union-attr,call-arg]
        with pytest.raises(JudgeLost, match="out of turn"):
            list(judges.views(second.batch(), lambda: None))
        assert one.pid is None


@given(data=st.data())
def test_whatever_happens_each_joint_is_told_what_its_own_slices_show_as_its_turn_comes(data: st.DataObject) -> None:
    word = st.sampled_from([SOUND, FAULTY, TORN])
    said = data.draw(st.lists(st.lists(word, min_size=1, max_size=3), min_size=2, max_size=6))
    deaths = st.sets(st.integers(0, 30), max_size=6)
    reader = Reader()
    with boards(*said) as jobs:
        late, small = data.draw(st.booleans()), data.draw(st.booleans())
        workers = [
            worker(reader, late=late, dies_at=data.draw(deaths), takes_one=small)
            for _ in range(data.draw(st.integers(1, 3)))
        ]
        judges = started(workers)
        waiting = [*jobs]
        while waiting:
            board = waiting.pop(data.draw(st.sampled_from([0, 0, 0, -1])))
            if data.draw(st.booleans()):
                board.change(0, data.draw(word))
            board.move()
            decided = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(board.truth())))), Call.NORMAL)
            for one in workers:
                one.died_over.clear()
                one.deaf = data.draw(st.integers(0, 9)) == 0
            given_up = data.draw(st.integers(0, 12))
            while len(decided) < len(board.job.joints):
                following = [other.batch(most=1) for other in waiting[: data.draw(st.integers(0, 3))]]
                left = [joint.id for joint in board.job.joints if joint.id not in decided]
                verdicts = judges.views(board.batch(decided), lambda: None, following)
                try:
                    for joint, verdict in zip(left, verdicts, strict=not given_up):
                        assert (verdict.joint.id, verdict.joint.refdes) == (joint, board.name)
                        assert verdict.decision.call == board.truth()[joint]
                        decided[joint] = verdict.decision.call
                        if not given_up:
                            continue
                        given_up -= 1
                        if not given_up:
                            break
                except JudgeLost:
                    blamed = [name for one in workers for name in one.died_over]
                    assert board.job.job_id in blamed, "it died over what comes later"
                finally:
                    verdicts.close()
