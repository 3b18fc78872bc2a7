//! Mathematics with one answer on every machine: thin functions over `libm`, and the special
//! functions that distributions need.
//!
//! The standard library's `ln`, `exp` and their kin call the platform's, and differ between
//! machines and between builds of one program. Square roots and roundings are exact everywhere, so
//! those of the standard library may be used too. This file knows nothing of distributions.

/// Natural logarithm.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}
/// ln(1 + x), exact for small x.
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}
/// Logarithm to base 2.
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}
/// Logarithm to base 10.
pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}
/// e to the power x.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}
/// exp(x) - 1, exact for small x.
pub fn exp_m1(x: f64) -> f64 {
    libm::expm1(x)
}
/// x to the power y.
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}
/// Square root.
pub fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}
/// Sine of an angle in radians.
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}
/// Cosine of an angle in radians.
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}
/// Tangent of an angle in radians.
pub fn tan(x: f64) -> f64 {
    libm::tan(x)
}
/// Length of the hypotenuse.
pub fn hypot(x: f64, y: f64) -> f64 {
    libm::hypot(x, y)
}
/// The error function.
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}
/// 1 - erf(x), exact for large x.
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}
/// Logarithm of the gamma function, for x > 0.
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}
/// The gamma function.
pub fn gamma(x: f64) -> f64 {
    libm::tgamma(x)
}

/// The standard normal density.
pub fn normal_density(z: f64) -> f64 {
    const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_7;
    exp(-0.5 * z * z) / ROOT_TWO_PI
}

/// The standard normal distribution function; exact far down the lower tail.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// The standard normal quantile function, to full precision for p down to 1e-300; the upper tail is
/// `-normal_quantile(q)` with q = 1 - p. Gives infinities at 0 and 1.
///
/// Source: Acklam's rational approximation, refined by one Halley step against `erfc`.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        // 1 - p is exact here, and the refinement needs the tail that erfc resolves.
        return -normal_quantile(1.0 - p);
    }
    let z = acklam(p);
    let error = normal_cdf(z) - p;
    let step = error / normal_density(z);
    z - step / (1.0 + 0.5 * z * step)
}

/// Acklam's approximation for 0 < p <= 1/2, relative error below 1.2e-9.
fn acklam(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.38357751867269e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1.0];
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if p < 0.02425 {
        let r = sqrt(-2.0 * ln(p));
        horner(&C, r) / horner(&D, r)
    } else {
        let d = p - 0.5;
        let r = d * d;
        horner(&A, r) * d / horner(&B, r)
    }
}

/// The regularised incomplete gamma functions (P(a, x), Q(a, x)) with Q = 1 - P, each to nearly full
/// relative precision, for a > 0 and x >= 0.
///
/// Source: series below a + 1, Lentz's continued fraction above (Press et al. §6.2).
pub fn gamma_p_q(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    gamma_p_q_front(a, x, exp(a * ln(x) - x - lgamma(a)))
}

/// As [`gamma_p_q`], given `front` = x^a exp(-x) / Gamma(a).
fn gamma_p_q_front(a: f64, x: f64, front: f64) -> (f64, f64) {
    // The number of terms grows with the square root of a.
    let terms_max = 200 + (20.0 * sqrt(a)) as u32;
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..terms_max {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        let p = (front * sum).min(1.0);
        (p, 1.0 - p)
    } else {
        const TINY: f64 = 1e-300;
        let mut b = x + 1.0 - a;
        let mut c = 1.0 / TINY;
        let mut d = 1.0 / b;
        let mut h = d;
        for i in 1..=terms_max {
            let i = f64::from(i);
            let an = -i * (i - a);
            b += 2.0;
            d = an * d + b;
            if d.abs() < TINY {
                d = TINY;
            }
            c = b + an / c;
            if c.abs() < TINY {
                c = TINY;
            }
            d = 1.0 / d;
            let factor = d * c;
            h *= factor;
            if (factor - 1.0).abs() < 1e-16 {
                break;
            }
        }
        let q = (front * h).min(1.0);
        (1.0 - q, q)
    }
}

/// The regularised lower incomplete gamma function P(a, x).
pub fn gamma_p(a: f64, x: f64) -> f64 {
    gamma_p_q(a, x).0
}

/// The x with P(a, x) = p, where `q` = 1 - p is given too, so that neither tail loses digits.
///
/// Source: a Wilson–Hilferty start, then Halley steps (Press et al. §6.2.1).
pub fn gamma_p_inverse(a: f64, p: f64, q: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if q <= 0.0 {
        return f64::INFINITY;
    }
    let mut x = gamma_start(a, p, q);
    let log_gamma = lgamma(a);
    for _ in 0..24 {
        if x <= 0.0 {
            return 0.0;
        }
        let front = exp(a * ln(x) - x - log_gamma);
        let density = front / x;
        if density <= 0.0 || !density.is_finite() {
            break;
        }
        let (p_here, q_here) = gamma_p_q_front(a, x, front);
        // Near the upper end P says nothing more and Q says all.
        let error = if p < 0.5 { p_here - p } else { q - q_here };
        let step = error / density;
        // Halley's correction, bounded so that a poor start cannot overshoot.
        let bend = (step * ((a - 1.0) / x - 1.0)).min(1.0);
        let next = x - step / (1.0 - 0.5 * bend);
        let next = if next <= 0.0 { 0.5 * x } else { next };
        let moved = (next - x).abs();
        x = next;
        // Each step triples the digits, so after this one they are all right.
        if moved <= 1e-6 * x {
            break;
        }
    }
    x
}

fn gamma_start(a: f64, p: f64, q: f64) -> f64 {
    if a > 1.0 {
        let z = if p < 0.5 { normal_quantile(p) } else { -normal_quantile(q) };
        let cube = 1.0 - 1.0 / (9.0 * a) + z / (3.0 * sqrt(a));
        let guess = a * cube * cube * cube;
        if cube > 0.0 && guess > 1e-3 * a {
            return guess;
        }
        // Far below, P(a, x) is x^a / Gamma(a + 1) to first order.
        return exp((ln(p) + lgamma(a + 1.0)) / a);
    }
    let t = 1.0 - a * (0.253 + a * 0.12);
    if p < t { pow(p / t, 1.0 / a) } else { 1.0 - ln(q / (1.0 - t)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(got: f64, want: f64, relative: f64) {
        assert!((got - want).abs() <= relative * want.abs(), "{got} should be {want} within {relative}");
    }

    #[test]
    fn normal_quantile_gives_the_tabulated_points() {
        close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-15);
        close(normal_quantile(0.99), 2.326_347_874_040_841, 1e-15);
        close(normal_quantile(1e-10), -6.361_340_902_404_056, 1e-14);
        assert_eq!(normal_quantile(0.5), 0.0, "half lies below the middle");
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY, "nothing lies below everything");
        assert_eq!(normal_quantile(1.0), f64::INFINITY, "everything lies below infinity");
    }

    #[test]
    fn normal_quantile_undoes_the_distribution_function() {
        for i in -370..=80 {
            let z = f64::from(i) / 10.0;
            // Above 0 the distribution function itself runs out of digits next to 1.
            let tolerance = if z > 0.0 { 1e-15 / normal_density(z) } else { 1e-13 * (1.0 + z.abs()) };
            let back = normal_quantile(normal_cdf(z));
            assert!((back - z).abs() <= tolerance, "{back} should be {z}");
        }
    }

    #[test]
    fn incomplete_gamma_has_its_closed_forms() {
        for i in 1..400 {
            let x = f64::from(i) / 10.0;
            let (p, q) = gamma_p_q(1.0, x);
            close(q, exp(-x), 1e-13);
            close(p, -exp_m1(-x), 1e-13);
            let (_, q) = gamma_p_q(2.0, x);
            close(q, (1.0 + x) * exp(-x), 1e-13);
            let (_, q) = gamma_p_q(0.5, x);
            close(q, erfc(sqrt(x)), 1e-12);
        }
    }

    #[test]
    fn inverse_incomplete_gamma_undoes_it_in_both_tails() {
        for a in [0.05, 0.3, 0.5, 1.0, 1.5, 2.0, 4.2, 30.0, 1_000.0] {
            for tail in [1e-15, 1e-9, 1e-4, 0.01, 0.1, 0.3, 0.499] {
                let x = gamma_p_inverse(a, tail, 1.0 - tail);
                if x > 1e-280 {
                    close(gamma_p_q(a, x).0, tail, 1e-9);
                }
                let x = gamma_p_inverse(a, 1.0 - tail, tail);
                close(gamma_p_q(a, x).1, tail, 1e-9);
            }
        }
    }
}
