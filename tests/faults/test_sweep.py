"""The sweep sees what a server loses: here it sweeps servers with known faults (losing.cpp).

    test_sweep.py FOLDER
"""

import contextlib
import io
import pathlib
import sys
import unittest

import plan
import results
import sweep
import table
import trial

FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
ACCEPT = "accept:2:EMFILE"


def outcomes(server, kind, faults):
    """The columns of the table in which the run counts, without "runs" and "fired"."""
    setting = trial.Setting(server, "poll", "select")
    verdict = trial.try_faults(sweep.place, setting, faults, sweep.usual_counts(setting))
    return {name: count for name, count in table.outcomes(kind, verdict) if name not in ("runs", "fired") and count}


class SweepTest(unittest.TestCase):
    def test_no_loss(self):
        self.assertEqual(outcomes("losing_nothing", "single", ACCEPT), {})

    def test_ends(self):
        self.assertEqual(outcomes("losing_exits", "single", ACCEPT), {"servers lost": 1})

    def test_serves_no_more(self):
        self.assertEqual(outcomes("losing_deaf", "single", ACCEPT), {"servers lost": 1})

    def test_not_recovered(self):
        self.assertEqual(outcomes("losing_deaf", "lasting", ACCEPT + ":100"), {"not recovered": 1})

    def test_recovered(self):
        # losing has no rest after an error, so it spins while the fault lasts.
        self.assertEqual(outcomes("losing_nothing", "lasting", ACCEPT + ":100"), {"spinning": 1})

    def test_spins(self):
        self.assertIn("spinning", outcomes("losing_spins", "single", ACCEPT))

    def test_more_than_one_client(self):
        found = outcomes("losing_forgets", "single", "accept:3:EMFILE")
        self.assertEqual(found, {"clients lost": 2, "more than 1": 1})

    def test_one_client(self):
        self.assertEqual(outcomes("losing_nothing", "single", "recv:2:ECONNRESET"), {"clients lost": 1})
        self.assertEqual(outcomes("losing_nothing", "short", "send:1:short=1"), {"clients lost": 1})

    def test_startup(self):
        # losing says nothing when it cannot listen.
        self.assertEqual(outcomes("losing_nothing", "single", "bind:1:EACCES"), {"start-up": 1, "silent": 1})

    def test_memory(self):
        # std::vector throws, and nothing catches it.
        setting = trial.Setting("losing_nothing", "poll", "select")
        verdict = trial.try_faults(sweep.place, setting, "malloc:4:ENOMEM:forever", {})
        self.assertEqual(verdict.end, "signal SIGABRT")

    def test_early(self):
        self.assertEqual(outcomes("losing_nothing", "ready", "poll:2:early"), {})

    def test_a_pair(self):
        self.assertEqual(outcomes("losing_nothing", "pairs", "recv:1:ECONNRESET,recv:3:ECONNRESET"),
                         {"clients lost": 2, "more than 1": 1})

    def test_a_fault_that_is_not_met(self):
        verdict = trial.try_faults(sweep.place, trial.Setting("losing_exits", "poll", "select"), "accept:100:EMFILE", {})
        self.assertEqual((verdict.fired, verdict.lost, verdict.end), (0, 0, ""))

    def test_stack(self):
        verdict = trial.try_faults(sweep.place, trial.Setting("losing_exits", "poll", "select"), ACCEPT, {})
        names = [name.partition(" ")[0] for name in table.Symbols(FOLDER, verdict.stacks).read(verdict.stacks[0])]
        self.assertIn("main", names)

    def test_counts(self):
        usual = sweep.usual_counts(trial.Setting("losing_nothing", "poll", "select"))
        self.assertEqual((usual["accept"], usual["recv"], usual["send"], usual["close"]), (5, 15, 10, 5))


class PlanTest(unittest.TestCase):
    def test_each_error_at_each_call(self):
        self.assertEqual(plan.single({"shutdown": 2, "no such call": 3}), [
            "shutdown:%d:%s" % (n, error) for n in (1, 2) for error in ("EBADF", "EINVAL", "ENOTCONN", "ENOTSOCK")])

    def test_the_injector_knows_each_error(self):
        for name, errors in plan.ERRORS.items():
            for some in [errors[i:i + 4] for i in range(0, len(errors), 4)]:
                faults = ",".join("%s:100000:%s" % (name, error) for error in some)
                verdict = trial.try_faults(sweep.place, trial.Setting("losing_nothing", "poll", "select"), faults, {})
                self.assertEqual((verdict.fired, verdict.end), (0, ""), faults)

    def test_the_injector_refuses_what_it_does_not_know(self):
        for fault in "accept:1:ENOSUCH", "accept:1:cut":
            with self.assertRaises(ValueError):
                trial.try_faults(sweep.place, trial.Setting("losing_nothing", "poll", "select"), fault, {})


class ResultsTest(unittest.TestCase):
    def test_a_sweep_goes_on(self):
        path = FOLDER / "test-results.jsonl"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        kept = results.Results(path, FOLDER)
        kept.add("single", "losing_exits/poll/select", ACCEPT, trial.Verdict(fired=1, end="exit 1", stacks=[["losing(main+0x1)[0x1]"]]))
        kept.close()
        again = results.Results(path, FOLDER)
        again.close()
        self.assertTrue(again.has("single", "losing_exits/poll/select", ACCEPT))
        self.assertFalse(again.has("lasting", "losing_exits/poll/select", ACCEPT))
        self.assertEqual(again.failures(), [ACCEPT])

    def test_the_table(self):
        kept = results.Results("-", FOLDER)
        kept.add("single", "losing_exits/poll/select", ACCEPT, trial.Verdict(fired=1, end="exit 1"))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            table.show(kept, FOLDER)
        self.assertRegex(printed.getvalue(), r"(?m)^accept +1 +1 +0 +0 +0 +0 +1 +0 +0$")


if __name__ == "__main__":
    sweep.prepare(FOLDER)
    unittest.main()
