"""Probes and miners by scikit-learn and faiss, one thread. Arrays come as .npy files."""
import functools
import warnings

import faiss
import numpy
from server import seconds, serve
from sklearn.cluster import KMeans
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score

warnings.filterwarnings("ignore")
faiss.omp_set_num_threads(1)
load = functools.cache(numpy.load)


def information(x, y):
    return seconds(lambda: mutual_info_classif(load(x), load(y), n_neighbors=3, random_state=0))


def clusters(x, start, iterations):
    model = KMeans(len(load(start)), init=load(start), n_init=1, max_iter=iterations, tol=0)
    return {**seconds(lambda: model.fit(load(x))), "inertia": float(model.inertia_)}


def neighbours(bank, queries, y, k):
    classes = load(y).max() + 1

    def run():
        unit = lambda a: a / numpy.linalg.norm(a, axis=1, keepdims=True)
        index = faiss.IndexFlatIP(load(bank).shape[1])
        index.add(unit(load(bank)))
        _, found = index.search(unit(load(queries)), k)
        votes = numpy.zeros((len(found), classes), numpy.int32)
        numpy.add.at(votes, (numpy.arange(len(found))[:, None], load(y)[found]), 1)
        run.predicted = votes.argmax(1)

    return {**seconds(run), "predicted": run.predicted.tolist()}


def precision(scores, truth, average):
    return seconds(lambda: average_precision_score(load(truth), load(scores), average=average))


def logistic(x, y, C, tolerance):
    """Warm starts along the values of C; the objective is worked out in float64, untimed."""
    model, fits = LogisticRegression(tol=tolerance, max_iter=5000, warm_start=True), []

    def run():
        for c in C:
            model.set_params(C=c).fit(load(x), load(y))
            fits.append((c, model.coef_.astype(float), model.intercept_.astype(float), int(model.n_iter_[0])))

    def objective(c, w, b):
        z = load(x).astype(float) @ w.T + b
        z -= z.max(1, keepdims=True)
        loss = numpy.log(numpy.exp(z).sum(1)) - z[numpy.arange(len(z)), load(y)]
        return float(c * loss.sum() + 0.5 * (w**2).sum())

    return {**seconds(run), "objectives": [objective(c, w, b) for c, w, b, _ in fits], "iterations": [n for *_, n in fits]}


def ridge(x, y, alphas):
    return seconds(lambda: [Ridge(alpha).fit(load(x), load(y)) for alpha in alphas])


serve(information, clusters, neighbours, precision, logistic, ridge)
