"""One cross-validated elastic net by another package, on request, in its own environment.

Reads lines of JSON {"file": NPZ, "solver": NAME} from standard input; the file
holds snps (people, snps), target (people), folds (people) and strengths. Answers
each with {"seconds", "cv_mse", "version"}: ten fits on nine tenths of the people,
their held-out error, and one fit on everybody, as a user of the package would.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np

warnings.filterwarnings("ignore")


def scikit_learn(snps, target, folds, strengths):
    from sklearn.linear_model import ElasticNetCV
    from sklearn.model_selection import PredefinedSplit

    model = ElasticNetCV(l1_ratio=0.5, alphas=strengths, cv=PredefinedSplit(folds), n_jobs=1)
    model.fit(snps, target)
    sizes = np.bincount(folds)
    return (model.mse_path_ * sizes).sum(axis=1) / sizes.sum()


def by_fold(fit, snps, target, folds, strengths):
    """Cross-validate a function (snps, target, strengths) -> predictor of all strengths."""
    errors = np.zeros(len(strengths))
    for fold in range(folds.max() + 1):
        test = folds == fold
        predicted = fit(snps[~test], target[~test], strengths)(snps[test])
        errors += ((predicted - target[test][:, None]) ** 2).sum(axis=0)
    fit(snps, target, strengths)
    return errors / len(target)


def _padded(predicted, n):
    """Repeat the last column where the package left the path early."""
    missing = n - predicted.shape[1]
    return np.concatenate([predicted, np.repeat(predicted[:, -1:], missing, axis=1)], axis=1)


def adelie(dtype, *, early_exit):
    def solve(snps, target, folds, strengths):
        import adelie as ad

        path = strengths.astype(dtype)

        def fit(x, y, _):
            state = ad.grpnet(
                X=np.asfortranarray(x, dtype=dtype),
                glm=ad.glm.gaussian(y=y.astype(dtype), dtype=dtype),
                alpha=0.5,
                lmda_path=path,
                early_exit=early_exit,
                progress_bar=False,
            )
            weights, intercepts = state.betas.toarray(), state.intercepts
            return lambda new: _padded(new @ weights.T + intercepts, len(path))

        return by_fold(fit, snps, target, folds, strengths)

    return solve


def python_glmnet(snps, target, folds, strengths):
    import glmnet

    def fit(x, y, path):
        model = glmnet.ElasticNet(alpha=0.5, lambda_path=path, standardize=False, n_splits=0)
        model.fit(x, y)
        return lambda new: _padded(new @ model.coef_path_ + model.intercept_path_, len(path))

    return by_fold(fit, snps, target, folds, strengths)


def glmnet_rs(snps, target, folds, strengths):
    import glmnetrs

    def fit(x, y, path):
        model = glmnetrs.glmnet(x, y, alpha=0.5, lambda_=path, standardize=False)
        return lambda new: _padded(np.asarray(model.predict(new)), len(path))

    return by_fold(fit, snps, target, folds, strengths)


SOLVERS = {
    "scikit-learn": (scikit_learn, "scikit-learn"),
    "adelie": (adelie(np.float64, early_exit=True), "adelie"),
    "adelie fp32": (adelie(np.float32, early_exit=True), "adelie"),
    "adelie whole path": (adelie(np.float64, early_exit=False), "adelie"),
    "adelie fp32 whole path": (adelie(np.float32, early_exit=False), "adelie"),
    "python-glmnet": (python_glmnet, "python-glmnet"),
    "glmnet-rs": (glmnet_rs, "glmnet-rs"),
}


def main():
    sys.stdout.write(
        json.dumps({name: version(package) for name, (_, package) in SOLVERS.items()}) + "\n"
    )
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        solve, package = SOLVERS[request["solver"]]
        with np.load(request["file"]) as data:
            arrays = [data[name] for name in ("snps", "target", "folds", "strengths")]
        started = time.perf_counter()
        cv_mse = solve(*arrays)
        seconds = time.perf_counter() - started
        answer = {
            "seconds": seconds,
            "cv_mse": list(map(float, cv_mse)),
            "version": version(package),
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
