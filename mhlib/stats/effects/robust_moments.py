"""Moments of a cluster-robust variance under the working model: Satterthwaite's degrees of freedom and those of HTZ.

With constraints s and t the covariance of what clusters i and j add is P_st,ij = [i = j] N_st,i + t_s,i' C t_t,j. Sums of
products of such matrices need no matrix of g by g. References: Bell & McCaffrey (2002); Tipton & Pustejovsky (2015) JEBS
40:604.
"""

from __future__ import annotations

import numpy as np

from mhlib.stats.effects.robust_adjust import Adjusted


def satterthwaite(found: Adjusted, contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees of freedom of each contrast, and the working variance of its estimate.

    Parameters
    ----------
    found : Adjusted
    contrasts : ndarray, shape (q, p)
        In the orthonormal columns.

    Returns
    -------
    df, expected : ndarray, shape (q,)
        2 E(V)^2 / var(V), and E(V) for a residual variance of 1.
    """
    df, expected = np.empty(len(contrasts)), np.empty(len(contrasts))
    for i, contrast in enumerate(contrasts):
        t, own = found.reach @ contrast, np.einsum("i,gij,j->g", contrast, found.norm, contrast)
        diagonal = own + np.einsum("gi,ij,gj->g", t, found.link, t)
        expected[i] = diagonal.sum()
        spread = product_sum(own, own, t, t, t, t, found.link)
        df[i] = expected[i] ** 2 / spread if spread > 0 else np.nan
    return df, expected


def product_sum(
    own: np.ndarray, other: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, link: np.ndarray
) -> float:
    """Sum over i, j of ([i=j] own_i + a_i'C b_j) ([i=j] other_i + c_i'C d_j), C symmetric."""
    first = np.einsum("gi,ij,gj->g", a, link, b)
    second = np.einsum("gi,ij,gj->g", c, link, d)
    crossed = link @ (b.T @ d) @ link @ (c.T @ a)
    return float((own * other + own * second + other * first).sum() + np.trace(crossed))


def hotelling_df(found: Adjusted, contrasts: np.ndarray) -> tuple[float, np.ndarray]:
    """Degrees of freedom of Hotelling's T² for q constraints (HTZ), and their working covariance.

    Parameters
    ----------
    found : Adjusted
    contrasts : ndarray, shape (q, p)
        In the orthonormal columns, of full rank.
    """
    reach = np.einsum("grp,qp->qgr", found.reach, contrasts)
    own = np.einsum("sp,gpk,tk->stg", contrasts, found.norm, contrasts)
    summed = own.sum(axis=2) + np.einsum("sgr,rk,tgk->st", reach, found.link, reach, optimize=True)
    value, vector = np.linalg.eigh(summed)
    whiten = vector / np.sqrt(value) @ vector.T
    reach, own = np.einsum("st,tgr->sgr", whiten, reach), np.einsum("sa,abg,tb->stg", whiten, own, whiten)
    total = 0.0
    for s in range(len(contrasts)):
        for t in range(len(contrasts)):
            total += product_sum(own[s, s], own[t, t], reach[s], reach[s], reach[t], reach[t], found.link)
            total += product_sum(own[s, t], own[t, s], reach[s], reach[t], reach[t], reach[s], found.link)
    q = len(contrasts)
    return q * (q + 1) / total, summed
