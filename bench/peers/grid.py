"""The paper's grid as an expert of PyTorch and scikit-learn would write it, as a whole process:

    grid.py FOLDER EPOCHS PROCESSES

FOLDER holds x.npy (n, d) float32, y.npy (n) int32 and boxes.npy (n, 4) int32 [xmin, ymin, xmax, ymax]. 28 cells x 8 folds: base, DTL,
DTL-hard, MATL and 24 of TG-MATL, each validated every epoch, the weights of the least validation loss kept, then probed: logistic
regression of the class, ridge regression of 13 box features and of the position. All folds of a cell are one batched model; batches of an
epoch are drawn at once; rows that are not selected are never multiplied; two processes share the cells, longest first.
Prints one line of JSON: seconds without imports, of training and of probes, and the mean accuracy of each cell.
"""
import json
import multiprocessing as mp
import os
import sys
import time
import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error, r2_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import MinMaxScaler

from triplets import loss_and_gradient, step

torch.set_num_threads(1)
OUT, FOLDS, BATCH, RATE, SEED, WINDOW = 64, 8, 32, 1e-4, 42, 300
CELLS = [("base",), ("dtl",), ("dtl-hard",), ("matl",)] + [("tg-matl", top, more) for top in (.4, .5, .6, .7) for more in (.05, .1, .15, .2, .25, .3)]


def box_features(boxes):
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    w, h, e = x1 - x0, y1 - y0, 1e-12
    ixx, iyy = w * h**3 / 12, h * w**3 / 12
    f = np.stack([w, h, w * h, 1 - np.minimum(w / (h + e), h / (w + e)), 2 * (w + h), np.hypot(w, h), w / (h + e), np.log(w / (h + e) + e),
                  4 * np.pi * w * h / ((2 * (w + h))**2 + e), np.log((ixx + e) / (iyy + e) + e), (ixx + iyy) / (w * h + e), np.log(w * h + e), np.arctan2(h, w + e)], 1)
    return (f - f.min(0)) / (f.max(0) - f.min(0) + 1e-12)


class Data:
    """What all cells share: folds, box clusters, scores."""

    def __init__(self, folder):
        self.x, y, boxes = (np.load(os.path.join(folder, f"{name}.npy")) for name in ("x", "y", "boxes"))
        self.y = y.astype(np.int64)
        self.features = box_features(boxes)
        b = boxes.astype(np.float64)
        self.place = np.stack([(b[:, 0] + b[:, 2]) / 2, (b[:, 1] + b[:, 3]) / 2, b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]], 1) / WINDOW
        self.box = KMeans(3, n_init=10, random_state=SEED).fit_predict(self.features[:, :4]).astype(np.int64)
        rest, self.test = train_test_split(np.arange(len(self.y)), test_size=.7, stratify=self.y * 3 + self.box, random_state=SEED)
        self.folds = [(rest[a], rest[v]) for a, v in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(rest, self.y[rest])]
        self.scores = [self.score(train) for train, _ in self.folds]

    def score(self, train):
        scaler = MinMaxScaler().fit(self.place[train])
        information = mutual_info_classif(scaler.transform(self.place[train]), self.y[train], n_neighbors=3, random_state=0)
        return (scaler.transform(self.place) * information).sum(1)


def epoch_batches(data, cell, epoch):
    """Every batch of an epoch for all folds: row numbers, class labels, box labels; -1 where a place is empty or not selected."""
    longest = max(len(train) for train, _ in data.folds)
    steps = -(-longest // BATCH)
    rows, valid, score = np.zeros((FOLDS, steps * BATCH), np.int64), np.zeros((FOLDS, steps * BATCH), bool), np.zeros((FOLDS, steps * BATCH))
    for f, (train, _) in enumerate(data.folds):
        r = train[np.random.default_rng([SEED, f, epoch]).permutation(len(train))]
        rows[f, :len(r)], valid[f, :len(r)], score[f, :len(r)] = r, True, data.scores[f][r].astype(np.float32)
    rows, valid, score = (a.reshape(FOLDS, steps, BATCH) for a in (rows, valid, score))
    y = np.where(valid, data.y[rows], -1)
    if cell[0] == "tg-matl":
        for c in range(3):
            inside = y == c
            n = inside.sum(-1, keepdims=True)
            rank = np.argsort(np.argsort(np.where(inside, -score, np.inf), -1, kind="stable"), -1, kind="stable")
            top = np.maximum(1, np.floor(cell[1] * n))
            y = np.where(inside & (rank >= top + np.minimum(np.floor(cell[2] * n), n - top)), -1, y)
        order = np.argsort(y < 0, -1, kind="stable")
        width = min(BATCH, -(-int((y >= 0).sum(-1).max()) // 8) * 8)  # multiples of 8: few distinct shapes
        rows, y = (np.take_along_axis(a, order, -1)[..., :width] for a in (rows, y))
    box = np.where(y >= 0, data.box[rows], -1)
    return [torch.from_numpy(np.ascontiguousarray(a.swapaxes(0, 1))) for a in (rows, y, box)]


def train(data, cell, epochs):
    """All folds of one cell at once: w (FOLDS, d, OUT) and b (FOLDS, 1, OUT) of the least validation loss."""
    kind = "matl" if cell[0] == "tg-matl" else cell[0]
    x, width = torch.from_numpy(data.x), data.x.shape[1]
    bound = np.sqrt(6 / (width + OUT))
    w = torch.from_numpy(np.stack([np.random.default_rng([SEED, 1000 + f]).uniform(-bound, bound, (width, OUT)).astype(np.float32) for f in range(FOLDS)]))
    b = torch.zeros(FOLDS, 1, OUT)
    adam = torch.optim.Adam([w.requires_grad_(), b.requires_grad_()], lr=RATE, fused=True)
    most = max(len(val) for _, val in data.folds)
    rows, there = np.zeros((FOLDS, most), np.int64), np.zeros((FOLDS, most), bool)
    for f, (_, val) in enumerate(data.folds):
        rows[f, :len(val)], there[f, :len(val)] = val, True
    vy, vbox = (torch.from_numpy(np.where(there, labels[rows], -1)) for labels in (data.y, data.box))
    vx = x[torch.from_numpy(rows)]
    best, kept_w, kept_b = torch.full((FOLDS,), torch.inf), w.detach().clone(), b.detach().clone()
    with torch.no_grad():
        for epoch in range(epochs):
            for batch in zip(*epoch_batches(data, cell, epoch)):
                _, w.grad, b.grad = step(x, w, b, *batch, kind)
                adam.step()
            loss = loss_and_gradient(torch.baddbmm(b, vx, w), vy, vbox, kind, False)[0]
            better = loss < best
            if better.all():
                best = loss
                kept_w.copy_(w)
                kept_b.copy_(b)
            elif better.any():
                best = torch.where(better, loss, best)
                i = better.nonzero()[:, 0]
                kept_w[i], kept_b[i] = w[i], b[i]
    return kept_w.numpy(), kept_b.numpy()


def probe(data, fold, z):
    """Linear probes on the projections of all rows: fitted on the training rows, measured on the test rows."""
    rows, test = data.folds[fold][0], data.test
    predicted = LogisticRegression(C=1.0, max_iter=2000).fit(z[rows], data.y[rows]).predict(z[test])
    metrics = [accuracy_score(data.y[test], predicted), f1_score(data.y[test], predicted, average="weighted")]
    for targets in (data.features, data.place[:, :2]):
        predicted = Ridge(1.0).fit(z[rows], targets[rows]).predict(z[test])
        metrics += [mean_squared_error(targets[test], predicted), r2_score(targets[test], predicted)]
    return metrics


def run(cell):
    """A cell's name, mean test accuracy over its folds, and seconds of training and of probes."""
    begin = time.perf_counter()
    if cell[0] == "base":
        projections = [DATA.x] * FOLDS
    else:
        w, b = train(DATA, cell, EPOCHS)
        projections = [DATA.x @ w[f] + b[f] for f in range(FOLDS)]
    trained = time.perf_counter()
    accuracy = float(np.mean([probe(DATA, f, z)[0] for f, z in enumerate(projections)]))
    return "/".join(map(str, cell)), accuracy, trained - begin, time.perf_counter() - trained


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    begin = time.perf_counter()
    DATA, EPOCHS, processes = Data(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    longest_first = sorted(CELLS, key=lambda cell: -(cell[1] + cell[2] if len(cell) > 1 else 2))
    if processes > 1:
        with mp.get_context("fork").Pool(processes) as pool:
            cells = list(pool.imap_unordered(run, longest_first, chunksize=1))
    else:
        cells = list(map(run, longest_first))
    print(json.dumps({
        "seconds": time.perf_counter() - begin,
        "training": sum(cell[2] for cell in cells),
        "probes": sum(cell[3] for cell in cells),
        "accuracy": {name: accuracy for name, accuracy, *_ in cells},
    }))
