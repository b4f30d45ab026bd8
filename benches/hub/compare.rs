//! Two servers under the same load, in turns: whatever else the machine does falls on both.

use crate::{
    alone::Alone,
    args::Pace,
    load::{Round, Target, drive},
};

/// How many connections ask at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];

pub(crate) struct Comparison {
    pub(crate) title: &'static str,
    pub(crate) connections: usize,
    /// Medians over the rounds, of each figure by itself.
    pub(crate) bare: Round,
    pub(crate) hub: Round,
    /// A plugin without HTTP and hub; in its place, tasks are what connections are.
    pub(crate) alone: Option<Round>,
    /// Requests per second with the hub over those without, of each pair of rounds; sorted. Pairs
    /// are neighbours in time, so these vary less than the figures they are made of.
    pub(crate) ratios: Vec<f64>,
    /// What the hub adds to the p50, in microseconds; of each pair likewise.
    pub(crate) added: Vec<f64>,
}

pub(crate) fn compare(
    title: &'static str,
    bare: &Target<'_>,
    hub: &Target<'_>,
    alone: Option<&Alone>,
    pace: &Pace,
) -> anyhow::Result<Vec<Comparison>> {
    CONNECTIONS
        .iter()
        .map(|&connections| compare_at(title, connections, bare, hub, alone, pace))
        .collect()
}

/// The same, with one number of connections.
pub(crate) fn compare_at(
    title: &'static str,
    connections: usize,
    bare: &Target<'_>,
    hub: &Target<'_>,
    alone: Option<&Alone>,
    pace: &Pace,
) -> anyhow::Result<Comparison> {
    eprintln!("{title}, {connections} connections …");
    let mut rounds = (Vec::new(), Vec::new());
    let mut rounds_alone = Vec::new();
    for _round in 0..pace.rounds {
        rounds.0.push(drive(bare, connections, pace)?);
        rounds.1.push(drive(hub, connections, pace)?);
        if let Some(alone) = alone {
            rounds_alone.push(alone.drive(connections, pace)?);
        }
    }
    let pairs = || rounds.0.iter().zip(&rounds.1);
    let ratios = sorted(pairs().map(|(bare, hub)| hub.per_second / bare.per_second));
    let added = sorted(pairs().map(|(bare, hub)| hub.p50 - bare.p50));
    let (bare, hub) = (medians(&rounds.0), medians(&rounds.1));
    let alone = alone.map(|_| medians(&rounds_alone));
    Ok(Comparison { title, connections, bare, hub, alone, ratios, added })
}

pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    quartiles(&sorted(figures.into_iter()))[1]
}

/// Lower quartile, median and upper quartile.
pub(crate) fn quartiles(sorted: &[f64]) -> [f64; 3] {
    [1, 2, 3].map(|quarters| sorted[sorted.len() * quarters / 4])
}

pub(crate) fn medians(rounds: &[Round]) -> Round {
    let median = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    Round {
        per_second: median(|round| round.per_second),
        p50: median(|round| round.p50),
        p99: median(|round| round.p99),
        processor: median(|round| round.processor),
    }
}

pub(crate) fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures
}
