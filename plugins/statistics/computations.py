"""The computations by themselves: numbers in, a dictionary out. What cannot be computed raises
statistics.StatisticsError, with words for whoever asked."""

import math
import statistics
from statistics import StatisticsError

# How many values `frequencies` and the modes of `describe` name at most.
MAX_NAMED = 20


def describe(data, percentiles):
    """The usual numbers about numbers."""
    ordered = sorted(data)
    count = len(ordered)
    mean = statistics.fmean(ordered)
    result = {
        "count": count,
        "sum": math.fsum(ordered),
        "mean": mean,
        "median": statistics.median(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "range": ordered[-1] - ordered[0],
        "quartiles": [percentile(ordered, p) for p in (25, 50, 75)],
        "percentiles": {f"{p:g}": percentile(ordered, p) for p in percentiles},
    }
    if count > 1:
        result["variance"] = variance(ordered, mean)
        result["stdev"] = math.sqrt(result["variance"])
        result["standard_error"] = result["stdev"] / math.sqrt(count)
        result["population_stdev"] = math.sqrt(result["variance"] * (count - 1) / count)
    modes = statistics.multimode(ordered)
    # If every value is there once, none is the most frequent.
    if len(modes) < count or count == 1:
        result["modes"] = modes[:MAX_NAMED]
    if count > 2 and result["population_stdev"] > 0:
        cubes = math.fsum(((x - mean) / result["population_stdev"]) ** 3 for x in ordered)
        result["skewness"] = cubes / count
    return result


def percentile(ordered, percent):
    """Linear between the two values nearest to it, as in Excel, R (type 7) and NumPy."""
    at = (len(ordered) - 1) * percent / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def variance(data, mean):
    """Of a sample. statistics.variance is exact, and takes seconds for what this does at once."""
    return math.fsum((x - mean) ** 2 for x in data) / (len(data) - 1)


def frequencies(data, bins):
    """How many values lie in each of `bins` parts of equal width."""
    low, high = min(data), max(data)
    if low == high:
        bins = 1
    width = (high - low) / bins
    counts = [0] * bins
    for x in data:
        counts[min(int((x - low) / width), bins - 1) if width else 0] += 1
    edges = [low + width * index for index in range(bins)] + [high]
    return {
        "count": len(data),
        "bins": [
            {"from": edges[index], "to": edges[index + 1], "count": count, "share": count / len(data)}
            for index, count in enumerate(counts)
        ],
    }


def correlation(x, y, method):
    """Pearson's r, or Spearman's rho: the same of the ranks."""
    pairs(x, y, 3)
    if method == "spearman":
        x, y = ranks(x), ranks(y)
    r = pearson(x, y)
    free = len(x) - 2
    # Whoever is on the line leaves nothing to chance.
    p = 0.0 if abs(r) == 1 else student_p(r * math.sqrt(free / (1 - r * r)), free)
    return {"method": method, "coefficient": r, "count": len(x), "p_value": p}


def pairs(x, y, least):
    if len(x) != len(y):
        raise StatisticsError(f"x has {len(x)} numbers and y has {len(y)}: they must be as many")
    if len(x) < least:
        raise StatisticsError(f"{len(x)} pairs are too few: at least {least} are needed")


def pearson(x, y):
    if min(x) == max(x) or min(y) == max(y):
        raise StatisticsError("all numbers of a list are the same: nothing can go along with them")
    return max(-1.0, min(1.0, statistics.correlation(x, y)))


def ranks(data):
    """The places of the numbers in order; those that are the same share the mean of their places."""
    order = sorted(range(len(data)), key=data.__getitem__)
    places = [0.0] * len(data)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and data[order[end + 1]] == data[order[start]]:
            end += 1
        for index in order[start : end + 1]:
            places[index] = (start + end) / 2 + 1
        start = end + 1
    return places


def linear_regression(x, y, predict):
    """The straight line that lies nearest to the points by least squares."""
    pairs(x, y, 3)
    if min(x) == max(x):
        raise StatisticsError("all numbers of x are the same: there is no line through these points")
    slope, intercept = statistics.linear_regression(x, y)
    free = len(x) - 2
    rest = math.fsum((b - (slope * a + intercept)) ** 2 for a, b in zip(x, y))
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    total = math.fsum((b - mean_y) ** 2 for b in y)
    spread = math.fsum((a - mean_x) ** 2 for a in x)
    error = math.sqrt(rest / free)
    slope_error = error / math.sqrt(spread)
    if slope_error > 0:
        p_value = student_p(slope / slope_error, free)
    else:
        # All points are on the line: that is no chance, unless there is nothing to explain.
        p_value = 0.0 if slope else 1.0
    return {
        "slope": slope,
        "intercept": intercept,
        "r_squared": 1 - rest / total if total > 0 else 1.0,
        "residual_error": error,
        "slope_error": slope_error,
        "p_value": p_value,
        "count": len(x),
        "predictions": [{"x": a, "y": slope * a + intercept} for a in predict],
    }


def compare_means(a, b):
    """Welch's t-test: whether the means differ by more than chance explains."""
    if len(a) < 2 or len(b) < 2:
        raise StatisticsError("each list needs at least 2 numbers")
    mean_a, mean_b = statistics.fmean(a), statistics.fmean(b)
    part_a, part_b = variance(a, mean_a) / len(a), variance(b, mean_b) / len(b)
    error = math.sqrt(part_a + part_b)
    if error == 0:
        raise StatisticsError("no number differs from the others of its list: there is no chance in it")
    free = (part_a + part_b) ** 2 / (part_a**2 / (len(a) - 1) + part_b**2 / (len(b) - 1))
    t = (mean_a - mean_b) / error
    return {
        "mean_a": mean_a,
        "mean_b": mean_b,
        "difference": mean_a - mean_b,
        "standard_error": error,
        "t": t,
        "degrees_of_freedom": free,
        "p_value": student_p(t, free),
    }


def student_p(t, free):
    """How likely chance alone gives at least such a t, of either sign (Student's distribution)."""
    return incomplete_beta(free / 2, 0.5, free / (free + t * t))


def incomplete_beta(a, b, x):
    """The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(front + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return min(1.0, front * value)
