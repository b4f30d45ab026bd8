//! The figures as Markdown, ready for docs/benchmarks.md.

use std::{fs, thread};

use crate::{
    args::Pace,
    compare::{Comparison, quartiles},
    memory::Memory,
};

pub(crate) fn print_speed(pace: &Pace, comparisons: &[Comparison]) {
    if comparisons.is_empty() {
        return;
    }
    println!("{}", machine(pace));
    println!();
    println!(
        "| asked | connections | requests/s bare | requests/s hub | ratio (middle half) | p50 µs bare | p50 µs hub | p99 µs bare | p99 µs hub | CPU µs bare | CPU µs hub |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for comparison in comparisons {
        let Comparison { title, connections, bare, hub, .. } = comparison;
        let [low, ratio, high] = quartiles(&comparison.ratios);
        println!(
            "| {title} | {connections} | {} | {} | {ratio:.2} ({low:.2}–{high:.2}) | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            thousands(bare.per_second),
            thousands(hub.per_second),
            bare.p50,
            hub.p50,
            bare.p99,
            hub.p99,
            bare.processor,
            hub.processor,
        );
    }
    let single =
        |comparison: &&Comparison| comparison.title == "tools/call" && comparison.connections == 1;
    if let Some(comparison) = comparisons.iter().find(single) {
        let [low, added, high] = quartiles(&comparison.added);
        println!();
        println!(
            "The hub adds {added:.0} µs to the p50 of a call on one connection \
             (middle half of the rounds: {low:.0} to {high:.0})."
        );
    }
}

pub(crate) fn print_memory(memory: &Memory) {
    println!();
    println!("| resident memory of the hub | |");
    println!("|---|--:|");
    println!("| idle | {:.1} MiB |", memory.idle / 1024.0);
    println!("| per idle session | {:.1} KiB |", memory.session);
    println!(
        "| per idle session with its event stream open | {:.1} KiB |",
        memory.session_with_stream
    );
    println!("| per idle provider with one tool | {:.1} KiB |", memory.provider);
    println!("| per 1,000 tools of 300 bytes | {:.0} KiB |", memory.thousand_tools);
}

fn machine(pace: &Pace) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let Pace { rounds, round, .. } = pace;
    format!(
        "{cores} cores of {}, shared by servers, providers and load; {rounds} rounds of {round:?} each.",
        model.unwrap_or("an unknown make")
    )
}

/// 1234567 as 1,234,567.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
