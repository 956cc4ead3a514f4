"""Triplet training as an expert of PyTorch would write it, and as most people do.

`step` trains all folds of a grid's cell as one batched model: one bmm forward, the gradient of the hinge in closed form (it is a
count, so no autograd), two bmm back. Small batches compare all pairs of distances; large ones sort each row once and take prefix
sums. Rows that are not selected are never multiplied (see `selected`). `plain_loss` is the same loss for autograd, one fold at a time.

Batch-all: mean over active triplets of d(a, p) - d(a, n) + margin. MATL: the mean of batch-all on two label sets. TG-MATL: MATL on
selected rows. Labels are -1 where a place of the batch is empty.
"""
import torch

MARGIN = 0.1
SORT_FROM = 72  # rows a batch from which sorting is faster than comparing


def by_comparison(d, pos, neg):
    """Batch-all loss (V) and its gradient in d (V, B, B)."""
    near = torch.where(pos, d + MARGIN, -torch.inf)
    far = torch.where(neg, d, torch.inf)
    if torch.compiler.is_compiling():  # inductor vectorises this form, eager is faster on the other
        active = ((near[..., :, None] - far[..., None, :]) > 1e-16).to(d.dtype)
    else:
        active = torch.gt(near[..., :, None], far[..., None, :]).to(d.dtype)
    as_pos, as_neg = active.sum(-1), active.sum(-2)
    count = as_pos.sum((-1, -2)) + 1e-16
    return ((as_pos - as_neg) * d + MARGIN * as_pos).sum((-1, -2)) / count, (as_pos - as_neg) / count[..., None, None]


def by_sorting(d, sets):
    """The same, weighted, for several label sets over one sort: O(B^2 log B)."""
    sd, order = d.sort(-1)
    closer = torch.searchsorted(sd, sd + MARGIN)
    within = torch.searchsorted(sd, sd - MARGIN, right=True)
    before = lambda x: torch.nn.functional.pad(x.cumsum(-1), (1, 0))
    losses, grads = [], []
    for weight, pos, neg in sets:
        p, n = pos.gather(-1, order).to(d.dtype), neg.gather(-1, order).to(d.dtype)
        as_pos = before(n).gather(-1, closer) * p
        total = (as_pos * (sd + MARGIN) - before(n * sd).gather(-1, closer) * p).sum((-1, -2))
        count = as_pos.sum((-1, -2)) + 1e-16
        as_neg = (p.sum(-1, keepdim=True) - before(p).gather(-1, within)) * n
        losses.append(weight * total / count)
        grads.append(weight * (as_pos - as_neg) / count[..., None, None])
    return sum(losses), torch.empty_like(d).scatter_(-1, order, sum(grads))


def loss_and_gradient(z, y, box, kind, gradient=True):
    """z (V, B, out), class and box labels (V, B). Returns the loss (V) and its gradient in z."""
    B = z.shape[-2]
    eye = torch.eye(B, dtype=torch.bool)
    sq = (z * z).sum(-1)
    d2 = (sq[..., :, None] + sq[..., None, :] - 2 * torch.bmm(z, z.mT)).clamp_min(0)
    d = torch.where(eye, 0.0, d2).sqrt()
    valid = y >= 0
    both = valid[..., :, None] & valid[..., None, :]

    def masks(labels):
        same = labels[..., :, None] == labels[..., None, :]
        return same & both & ~eye, ~same & both

    if kind == "dtl-hard":
        pos, neg = masks(y)
        farthest, i = torch.where(pos, d, 0.0).max(-1)
        far = torch.where(both, d, 0.0).max(-1, keepdim=True).values
        nearest, j = torch.where(neg, d, torch.where(both, d + far, torch.inf)).min(-1)
        hinge = torch.where(valid, farthest - nearest + MARGIN, 0.0)
        n = valid.sum(-1).to(d.dtype)
        loss = torch.relu(hinge).sum(-1) / n
        g = ((hinge > 0).to(d.dtype) / n[..., None])[..., None]
        c = torch.zeros_like(d).scatter_add_(-1, i[..., None], g).scatter_add_(-1, j[..., None], -g)
    else:
        sets = [(1.0, *masks(y))] if kind == "dtl" else [(0.5, *masks(y)), (0.5, *masks(box))]
        if B >= SORT_FROM:
            loss, c = by_sorting(d, sets)
        else:
            parts = [(weight, *by_comparison(d, pos, neg)) for weight, pos, neg in sets]
            loss, c = sum(w * value for w, value, _ in parts), sum(w * grad for w, _, grad in parts)
    if not gradient:
        return loss, None
    s = torch.where(d > 0, c / d, 0.0)
    s = s + s.mT
    return loss, s.sum(-1, keepdim=True) * z - torch.bmm(s, z)


def step(x, w, b, rows, y, box, kind):
    """Loss and gradients in w (V, d, out) and b (V, 1, out) of the batch `rows` (V, B) of x (n, d)."""
    batch = x[rows]
    loss, dz = loss_and_gradient(torch.baddbmm(b, batch, w), y, box, kind)
    return loss, torch.bmm(batch.mT, dz), dz.sum(1, keepdim=True)


def selected(y, score, top, more):
    """Row numbers that TG-MATL takes of one batch: per class the top share by score, then the next-ranked."""
    keep = []
    for c in torch.unique(y[y >= 0]):
        rows = torch.nonzero(y == c)[:, 0]
        rows = rows[torch.argsort(score[rows], descending=True, stable=True)]
        n = max(1, int(top * len(rows)))
        keep.append(rows[:n + min(int(more * len(rows)), len(rows) - n)])
    return torch.cat(keep)


# As most people write it: autograd through all B x B x B triplets.

def distances(z):
    sq = (z * z).sum(1)
    d2 = (sq[:, None] + sq[None, :] - 2 * z @ z.T).clamp_min(0)
    zero = d2 == 0
    return (d2 + zero * 1e-16).sqrt() * ~zero


def batch_all(z, labels):
    d = distances(z)
    same = labels[:, None] == labels[None, :]
    pos = same & ~torch.eye(len(z), dtype=torch.bool)
    hinge = torch.relu(d[:, :, None] - d[:, None, :] + MARGIN) * (pos[:, :, None] & ~same[:, None, :])
    return hinge.sum() / ((hinge > 1e-16).float().sum() + 1e-16)


def batch_hard(z, labels):
    d = distances(z)
    same = labels[:, None] == labels[None, :]
    pos = same & ~torch.eye(len(z), dtype=torch.bool)
    farthest = (d * pos).max(1).values
    nearest = (d + d.max(1, keepdim=True).values * same).min(1).values
    return torch.relu(farthest - nearest + MARGIN).mean()


def plain_loss(z, y, box, score, kind, select=None):
    if kind == "dtl":
        return batch_all(z, y)
    if kind == "dtl-hard":
        return batch_hard(z, y)
    if select is not None:
        rows = selected(y, score, *select)
        z, y, box = z[rows], y[rows], box[rows]
    return 0.5 * batch_all(z, y) + 0.5 * batch_all(z, box)
