"""Training steps of the triplet losses, timed: by an expert (the folds as one batched model), the same compiled, and plain.

Data is handed over as .npy files in a folder: x (n, d) float32, y and box (n) int32, score (n) float32, folds (8, rows) int32.
"""
import functools
import os
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from server import serve
from triplets import plain_loss, selected, step

torch.set_num_threads(1)
OUT, RATE, BATCHES = 64, 1e-4, 16


@functools.cache
def data(folder):
    x, y, box, score, folds = (torch.from_numpy(np.load(os.path.join(folder, f"{name}.npy"))) for name in ("x", "y", "box", "score", "folds"))
    return x, y.long(), box.long(), score, folds.long()


@functools.cache
def batches(folder, batch, select):
    """Batches of all folds, drawn beforehand: (row numbers, class labels, box labels), each (folds, M). With `select`, M covers the rows selected."""
    _, y, box, score, folds = data(folder)
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.stack([fold[torch.randperm(len(fold), generator=generator)[:batch]] for fold in folds]) for _ in range(BATCHES)]
    if select is None:
        return [(rows, y[rows], box[rows]) for rows in drawn]
    labels = []
    for rows in drawn:
        chosen = torch.full_like(rows, -1)
        for v, fold in enumerate(rows):
            keep = selected(y[fold], score[fold], *select)
            chosen[v, keep] = y[fold[keep]]
        labels.append(chosen)
    most = max(int((chosen >= 0).sum(-1).max()) for chosen in labels)
    width = min(batch, -(-most // 8) * 8)  # one shape for all
    packed = []
    for rows, chosen in zip(drawn, labels):
        order = torch.argsort((chosen < 0).int(), dim=-1, stable=True)[:, :width]
        rows, chosen = rows.gather(-1, order), chosen.gather(-1, order)
        packed.append((rows, chosen, torch.where(chosen >= 0, box[rows], -1)))
    return packed


@functools.cache
def compiled():
    return torch.compile(step, dynamic=False)


def batched(folder, kind, batch, select=None, steps=1000, compile=False):
    """`steps` Adam steps of all folds at once, from new weights; the first calls, which compile, are not timed."""
    x = data(folder)[0]
    plan = batches(folder, batch, None if select is None else tuple(select))
    fn = compiled() if compile else step
    folds = len(plan[0][0])
    w = (torch.randn(folds, x.shape[1], OUT, generator=torch.Generator().manual_seed(1)) * 0.05).requires_grad_()
    b = torch.zeros(folds, 1, OUT, requires_grad=True)
    adam = torch.optim.Adam([w, b], lr=RATE, fused=True)
    kind = "matl" if kind == "tg-matl" else kind

    def run(count):
        begin = time.perf_counter()
        with torch.no_grad():
            for i in range(count):
                _, w.grad, b.grad = fn(x, w, b, *plan[i % BATCHES], kind)
                adam.step()
        return time.perf_counter() - begin

    first = run(3)
    return {"seconds": run(steps), "steps": steps * folds, "first": first}


def plain(folder, kind, batch, select=None, steps=100):
    """`steps` Adam steps of one fold: DataLoader, nn.Linear, autograd."""
    x, y, box, score, folds = data(folder)
    rows = folds[0]
    sampler = RandomSampler(range(len(rows)), replacement=True, num_samples=batch * (steps + 3), generator=torch.Generator().manual_seed(0))
    loader = iter(DataLoader(TensorDataset(x[rows], y[rows], box[rows], score[rows]), batch_size=batch, sampler=sampler))
    model = torch.nn.Linear(x.shape[1], OUT)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)

    def run(count):
        begin = time.perf_counter()
        for _ in range(count):
            xb, yb, bb, sb = next(loader)
            adam.zero_grad()
            plain_loss(model(xb), yb, bb, sb, kind, select).backward()
            adam.step()
        return time.perf_counter() - begin

    run(3)
    return {"seconds": run(steps), "steps": steps}


serve(batched, plain)
