"""Did this training go wrong? What a version shows by itself, also where no other serves yet."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from workers.gate.case import CONFIDENCE, MARGIN, MISFIT_MARGIN, Case, Finding, right
from workers.gate.paired import chance_of_losing, chance_of_rise, misfit

ABOVE_CHANCE = 1.5  # times the accuracy of guessing
LEAST_UNLIKE = 0.01  # of the labels, by which even sound trainings differ
DEVIATIONS = 2.0  # more contradicted than so many standard deviations above the usual, Poisson's
FEWEST_CONTRADICTED = 3  # fewer are chance in a project of thirty labels
BY_FEW_LABELS = 10  # at most, and a tenth: where labels are few, folds weigh them differently
SWAPPED_BY_CHANCE = 0.01  # that two classes which are merely alike pass for swapped
LABELS_MAY_DIFFER = 0.01  # when they are counted again: a tie may fall otherwise


def numbers(case: Case) -> Finding:
    """Everything that was said is a number."""
    said = [case.new, case.served]
    if case.opinions is not None:
        said += [case.opinions.by_fold, case.opinions.served]
    if all(np.isfinite(one).all() for one in said):
        return Finding()
    return Finding("the network's probabilities are not numbers")


def recounted(case: Case) -> Finding:
    """The labels that it learned are those that people gave."""
    if case.recount is None or not case.recount.images:
        return Finding()
    share = case.recount.differing / case.recount.images
    refusal = (
        f"{case.recount.differing} of {case.recount.images} labels that it was to learn are not "
        "what Gold and votes say: they were changed on their way to the training"
    )
    return Finding(refusal if share > LABELS_MAY_DIFFER else "", {"labels_differing": share})


def taught(case: Case) -> Finding:
    """Every network was taught the labels of the snapshot, by the checksum on its card."""
    if not case.mistaught:
        return Finding()
    return Finding(
        f"{case.mistaught[0]} was taught other labels than the snapshot has: they were changed on "
        "their way to the training"
    )


def enough(case: Case) -> Finding:
    """There are images to measure it on."""
    if len(case.labels) >= case.fewest:
        return Finding()
    return Finding(
        f"{len(case.labels)} {case.measured_on}, are too few to measure it on, at least "
        f"{case.fewest} are needed: wait for more votes, or mark ten or more images as Gold"
    )


def not_guessing(case: Case) -> Finding:
    """It knows something: more than which classes are common."""
    shares = np.bincount(case.labels, minlength=case.new.shape[1]) / max(len(case.labels), 1)
    constant = np.broadcast_to(shares, case.new.shape)
    fit, without = (float(misfit(said, case.labels).mean()) for said in (case.new, constant))
    guessing = case.accuracy < ABOVE_CHANCE / case.new.shape[1]
    learned_nothing = case.accuracy <= shares.max() and fit >= without and shares.max() < 1
    refusal = ""
    if guessing:
        refusal = f"{case.shown}: hardly better than guessing"
    elif learned_nothing:
        refusal = (
            f"{case.shown}: no better than calling all of them {case.name(int(shares.argmax()))}"
        )
    return Finding(refusal, {"accuracy": case.accuracy, "misfit_by_shares": without})


def served_like_folds(case: Case) -> Finding:
    """The network to serve knows what the fold networks know together, and fits what it was taught
    no worse than they do who were not."""
    mine, theirs = right(case.served, case.labels), right(case.new, case.labels)
    own = float(mine.mean()) if len(case.labels) else 0.0
    lost, won = int((theirs & ~mine).sum()), int((mine & ~theirs).sum())
    figures = {"served_accuracy": own}
    if own < case.accuracy - MARGIN and chance_of_losing(lost, won) <= 1 - CONFIDENCE:
        refusal = f"{case.shown}, but the network to serve on {own:.1%}: its training went wrong"
        return Finding(refusal, figures)
    about = case.opinions
    if about is None or not len(about.labels):
        return Finding("", figures)
    rises = misfit(about.served, about.labels) - misfit(about.untaught, about.labels)
    rise = float(rises.mean())
    worse = rise > MISFIT_MARGIN and chance_of_rise(rises) <= 1 - CONFIDENCE
    refusal = (
        f"{case.shown}, but the network to serve fits the labels that it was taught worse than the "
        f"fold networks that were not taught them, by {rise:.2f} nats an image: its training went "
        "wrong"
    )
    return Finding(refusal if worse else "", figures | {"served_misfit_rise": rise})


def learned(case: Case) -> Finding:
    """No network contradicts the labels that it was taught, where one that was not taught them says
    them. Of a sound training hardly any is, however wrong the label; of flipped labels those that
    were flipped."""
    about = case.opinions
    if about is None or not len(about.labels):
        return Finding()
    says = np.stack([right(said, about.labels) for said in [*about.by_fold, about.served]])
    taught = np.arange(len(says))[:, None] != about.folds  # (f + 1, n); the last, served, was all
    untaught = says[about.folds, np.arange(len(about.labels))]
    counts = (taught & ~says & untaught).sum(axis=1)
    lessons = taught.sum(axis=1)
    usual = _unlike(says, taught) * lessons
    most = np.maximum(usual + DEVIATIONS * np.sqrt(usual), np.minimum(lessons / 10, BY_FEW_LABELS))
    most = np.maximum(most, FEWEST_CONTRADICTED - 1)
    culprit = int((counts / most).argmax())
    count, share = counts[culprit], float(counts[culprit] / max(lessons[culprit], 1))
    serves = culprit == len(about.by_fold)
    network = "the network to serve" if serves else f"fold network {culprit + 1}"
    refusal = (
        f"{case.shown}, but {network} contradicts the labels of {count} images that it was taught "
        f"({share:.1%}), and networks that were not taught them say them: it was taught other "
        "labels"
    )
    return Finding(refusal if count > most[culprit] else "", {"contradicted": share})


def _unlike(says: NDArray[np.bool_], taught: NDArray[np.bool_]) -> float:
    """How often a network contradicts a label that another says, where both were taught it: noise
    of their trainings. Next to never for heads, which have one best fit. Of the pairs the middle
    one, the lower of two, so that one spoilt network does not pass for noise."""
    shares = []
    for one, other in permutations(range(len(says)), 2):
        both = taught[one] & taught[other]
        if both.any():
            shares.append(float((~says[one] & says[other])[both].mean()))
    middle = np.quantile(shares, 0.5, method="lower") if shares else 0.0
    return max(float(middle), LEAST_UNLIKE)


def not_swapped(case: Case) -> Finding:
    """No two classes stand for each other: more would be right if their names were swapped."""
    said, labels = case.new, case.labels
    if case.opinions is not None and len(case.opinions.labels) > len(labels):
        said, labels = case.opinions.untaught, case.opinions.labels
    classes = said.shape[1]
    taken = np.bincount(labels * classes + said.argmax(axis=1), minlength=classes**2)
    taken = taken.reshape(classes, classes)  # (true, called)
    straight = np.add.outer(taken.diagonal(), taken.diagonal())
    for first, second in np.argwhere(np.triu(taken + taken.T > straight, k=1)):
        swapped, kept = int((taken + taken.T)[first, second]), int(straight[first, second])
        if chance_of_losing(swapped, kept) <= SWAPPED_BY_CHANCE:
            return Finding(
                f"{case.shown}, but it takes {case.name(first)} for {case.name(second)} or the "
                f"other way round on {swapped} images, and is right on {kept} of these classes: "
                "they were swapped"
            )
    return Finding()
