"""What has to be made again, and from what.

minilm@1 ══ minilm@2         ══ version   ── provenance (parents on the left)
   ├── qa ──────┬── both
   └── legal ───┘
"""

import pytest

from mgit.cascade import Action, Made, Recorded
from mgit.errors import NotFoundError, UsageError
from tests.cascade.families import family

FAMILY = family(
    "minilm@1",
    "minilm@2",
    "qa@1 <- minilm@1",
    "legal@1 <- minilm@1",
    "both@1 <- left=legal@1, right=qa@1",
)


def test_what_was_made_from_an_old_version_is_made_from_the_new_one_and_all_below_follows() -> None:
    plan = FAMILY.plan()

    assert FAMILY.read(plan) == {
        "qa@1": "build: minilm@2",
        "legal@1": "build: minilm@2",
        "both@1": "build: left=new legal@1, right=new qa@1",
    }


def test_without_an_update_nothing_is_to_be_done() -> None:
    assert FAMILY.plan({}).steps == ()
    assert family().plan().steps == ()


def test_an_update_to_itself_is_none() -> None:
    assert FAMILY.plan({"minilm@1": "minilm@1"}).steps == ()


def test_a_plan_keeps_the_updates_it_follows_from() -> None:
    assert FAMILY.plan().updates == {FAMILY.id("minilm@1"): FAMILY.id("minilm@2")}


def test_a_step_says_what_it_waits_for_and_how_it_is_called() -> None:
    plan = FAMILY.plan(estimates={"both": 7.5})

    both = plan.by_node[FAMILY.id("both")]
    assert (both.title, both.name, both.names, both.estimate_s) == ("both", "both", ("both",), 7.5)
    assert FAMILY.labels(both.after) == {"qa@1", "legal@1"}
    assert both.group == (both.node,)
    assert plan.by_node[FAMILY.id("qa")].after == ()
    assert plan.by_node[FAMILY.id("qa")].estimate_s is None


def test_the_reason_names_what_changed() -> None:
    drawn = family(
        "bert@1",
        "bert@2",
        "qa@1 <- bert@1",
        "qa@2 <- bert@1",
        "old@1 <- qa@1",
        "many@1 <- a=bert@1, b=bert@1, c=qa@1, d=qa@2, e=old@1",
    )

    reasons = {step.name: step.reason for step in drawn.plan().steps}

    assert reasons == {
        "qa": "bert@1 -> bert",
        "old": "qa@1 -> new qa",
        "many": "bert@1 -> bert, qa@1 -> new qa, new qa, 1 more",
    }


def test_a_diamond_is_made_once_and_last() -> None:
    plan = FAMILY.plan()

    order = FAMILY.order(plan)
    assert sorted(order) == ["both@1", "legal@1", "qa@1"]
    assert order[-1] == "both@1"


def test_what_was_made_from_the_near_and_the_far_gets_both_new() -> None:
    #   a ── b ── c ── d
    #   └──────────────┘
    drawn = family("a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- far=a@1, near=c@1")

    plan = drawn.plan()

    assert drawn.order(plan) == ["b@1", "c@1", "d@1"]
    assert drawn.read(plan)["d@1"] == "build: far=a@2, near=new c@1"


def test_several_updates_make_one_step() -> None:
    drawn = family("a@1", "a@2", "b@1", "b@2", "ab@1 <- left=a@1, right=b@1", "below@1 <- ab@1")

    assert drawn.read(drawn.plan()) == {
        "ab@1": "build: left=a@2, right=b@2",
        "below@1": "build: new ab@1",
    }


def test_a_parent_that_is_not_in_the_cascade_stays_as_recorded() -> None:
    drawn = family("a@1", "a@2", "b@1", "b@2", "ab@1 <- left=a@1, right=b@1")

    assert drawn.read(drawn.plan(chosen="a")) == {"ab@1": "build: left=a@2, right=b@1"}


def test_with_the_latest_parents_every_parent_is_the_current_one() -> None:
    drawn = family("a@1", "a@2", "b@1", "b@2", "ab@1 <- left=a@1, right=b@1", "c@1 <- b@1")

    plan = drawn.plan(chosen="a", takes_latest=True)

    assert drawn.read(plan) == {"ab@1": "build: left=a@2, right=b@2"}  # and c is not affected


def test_the_same_parent_in_two_roles_is_replaced_in_both() -> None:
    drawn = family("a@1", "a@2", "d@1 <- base=a@1, teacher=a@1")

    assert drawn.read(drawn.plan()) == {"d@1": "build: a@2, teacher=a@2"}


def test_a_replaced_version_is_not_something_made_from_the_old_one() -> None:
    assert family("a@1", "a@2", "a@3").plan().steps == ()


# --- versions of what lies between ---


def test_a_child_of_an_older_version_gets_the_new_version_of_the_current_one() -> None:
    #   a@1 ══ a@2     qa@1 ══ qa@2 (both made from a@1)     below (made from qa@1)
    drawn = family("a@1", "a@2", "qa@1 <- a@1", "qa@2 <- a@1", "below@1 <- qa@1")

    assert drawn.read(drawn.plan(chosen="a")) == {
        "qa@2": "build: a@2",
        "below@1": "build: new qa@2",
    }


def test_a_child_of_an_older_version_gets_the_current_one_if_that_was_made_anew_already() -> None:
    drawn = family("a@1", "a@2", "qa@1 <- a@1", "qa@2 <- a@2", "below@1 <- qa@1")

    assert drawn.read(drawn.plan(chosen="a")) == {"below@1": "build: qa@2"}


def test_a_child_of_an_older_version_that_the_updates_do_not_reach_stays() -> None:
    drawn = family("a@1", "a@2", "x@1", "x@2", "qa@1 <- x@1", "qa@2 <- x@1", "below@1 <- qa@1")

    assert drawn.read(drawn.plan(chosen="a")) == {}


def test_what_no_name_reaches_any_more_is_made_again_where_something_needs_it() -> None:
    drawn = family(
        "a@1", "a@2", "mid@1 <- a@1", "low@1 <- mid@1", "lost@1 <- a@1", nameless="mid lost"
    )

    plan = drawn.plan()

    assert drawn.read(plan) == {"mid@1": "build: a@2", "low@1": "build: new mid@1"}
    assert [step.name for step in plan.steps] == ["", "low"]


def test_every_name_of_a_model_is_in_its_step() -> None:
    drawn = family("a@1", "a@2", "qa@1 <- a@1", names={"alias": "qa@1"})

    (step,) = drawn.plan().steps
    assert (step.name, step.names) == ("alias", ("alias", "qa"))


def test_a_version_that_went_on_from_itself_is_made_again_from_the_beginning() -> None:
    #   base@1 ── qa@1 ── qa@2 (trained on, and replaces it)
    drawn = family("base@1", "base@2", "qa@1 <- base@1", "qa@2 <- qa@1")

    assert drawn.read(drawn.plan()) == {"qa@1": "build: base@2", "qa@2": "build: new qa@1"}
    assert [step.name for step in drawn.plan().steps] == ["", "qa"]


def test_a_model_is_not_made_from_what_was_made_from_it() -> None:
    #   base@1 ── qa ── base@2 (merged from it, and replaces base@1)
    drawn = family("base@1", "qa@1 <- base@1", "base@2 <- qa@1")

    assert drawn.plan().steps == ()


def test_being_below_counts_over_versions_too() -> None:
    #   base@1 ── qa@1 ══ qa@2 ── base@2
    drawn = family("base@1", "qa@1 <- base@1", "qa@2", "base@2 <- qa@2", "fine@1 <- qa@1, x=base@1")

    assert drawn.read(drawn.plan()) == {"fine@1": "build: qa@2, x=base@2"}


def test_a_version_that_forked_stays_as_recorded() -> None:
    forked = family("a@1", "a@2", "fork@1 => a@1", "qa@1 <- a@1")

    assert forked.plan().steps == ()
    assert forked.read(forked.plan(chosen="fork")) == {"qa@1": "build: fork@1"}


def test_a_parent_that_is_not_here_stays_as_recorded() -> None:
    drawn = family("!gone@1", "a@1", "a@2", "qa@1 <- base=a@1, teacher=gone@1")

    assert drawn.read(drawn.plan()) == {"qa@1": "build: a@2, teacher=gone@1"}


def test_an_update_may_be_to_any_node() -> None:
    drawn = family("a@1", "other@1", "qa@1 <- a@1")

    assert drawn.read(drawn.plan({"a@1": "other@1"})) == {"qa@1": "build: other@1"}


def test_what_a_version_was_updated_to_counts_before_its_current_version() -> None:
    drawn = family("a@1", "a@2", "other@1", "qa@1 <- a@1")

    assert drawn.read(drawn.plan({"a@1": "other@1"})) == {"qa@1": "build: other@1"}


def test_a_version_that_a_name_still_points_to_is_current_whatever_replaced_it() -> None:
    #   x ── a@1 (a name of its own) ══ a@2 (made from x, too)      low (made from a@1)
    drawn = family(*("x@1", "x@2", "a@1", "a@2 <- x@1", "low@1 <- a@1"), names={"release": "a@1"})

    assert drawn.read(drawn.plan()) == {"a@2": "build: x@2"}


def test_an_update_to_a_node_that_is_not_here_is_refused() -> None:
    drawn = family("a@1", "!gone@1", "qa@1 <- a@1")

    with pytest.raises(NotFoundError, match=drawn.id("gone@1").short):
        drawn.plan({"a@1": "gone@1"})


# --- order ---


def test_the_longest_remaining_path_comes_first() -> None:
    #   a ─┬─ quick ── slow         5 + 60 s
    #      ├─ middle                50 s
    #      └─ zlong ── tail         50 + 20 s
    drawn = family(
        "a@1",
        "a@2",
        *("quick@1 <- a@1", "slow@1 <- quick@1", "middle@1 <- a@1"),
        *("zlong@1 <- a@1", "tail@1 <- zlong@1"),
    )
    estimates = {"quick": 5.0, "slow": 60.0, "middle": 50.0, "zlong": 50.0, "tail": 20.0}

    plan = drawn.plan(estimates=estimates)

    assert drawn.order(plan) == ["zlong@1", "quick@1", "slow@1", "middle@1", "tail@1"]


def test_without_estimates_the_most_steps_come_first_and_then_the_title_decides() -> None:
    drawn = family("a@1", "a@2", "x@1 <- a@1", "b@1 <- a@1", "p@1 <- a@1", "q@1 <- p@1")

    assert drawn.order(drawn.plan()) == ["p@1", "b@1", "q@1", "x@1"]


def test_models_that_would_each_have_to_be_made_before_the_other_are_refused() -> None:
    #   x@1 ── y@2      y@1 ── x@2
    drawn = family("x@1", "y@1", "x@2 <- y@1", "y@2 <- x@1", "z@1 <- x@2")

    with pytest.raises(UsageError, match=r"before the others: [xy], [xy]$") as caught:
        drawn.plan()

    assert caught.value.hint in {
        "keep one of them as it is: --skip or --stop x",
        "keep one of them as it is: --skip or --stop y",
    }
    assert drawn.read(drawn.plan(skip="y")) == {
        "x@2": "build: y@2",
        "y@2": "skip: x@1",
        "z@1": "build: new x@2",
    }
    assert drawn.read(drawn.plan(stop="y")) == {"y@2": "stop: x@1"}


def test_bindings_are_values_that_say_whether_they_changed() -> None:
    plan = FAMILY.plan(chosen="minilm")
    qa, both = (plan.by_node[FAMILY.id(label)] for label in ("qa", "both"))

    (bound,) = qa.bindings
    assert bound.new == Recorded(FAMILY.id("minilm@2"))
    assert bound.is_changed
    assert [binding.new for binding in both.bindings] == [
        Made(FAMILY.id("legal")),
        Made(FAMILY.id("qa")),
    ]
    assert all(step.action is Action.BUILD for step in plan.steps)
