//! The figures as Markdown, ready for docs/benchmarks.md.

use std::{fs, thread};

use crate::{
    args::Pace,
    compare::{Comparison, quartiles},
    crowd::{Crowd, Listeners},
    load::float,
    loading::{Loading, Report},
    memory::Memory,
    registrations::Registrations,
    trouble::{Spinning, Trouble},
};

/// What a session with its stream may keep beyond what a bare one does, in KiB.
const BEYOND_BARE_MAX: f64 = 20.0;
/// Within how many milliseconds all have to have heard of a change.
const HEARD_MAX: f64 = 1_000.0;
/// How many times the first registrations the last ones may cost.
const GROWTH_MAX: f64 = 2.0;

/// `absent` says what is not measured, and why.
pub(crate) fn print_speed(pace: &Pace, comparisons: &[Comparison], absent: &[String]) {
    for why in absent {
        println!("{why}\n");
    }
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
    if comparisons.iter().any(|comparison| comparison.alone.is_some()) {
        print_alone(comparisons);
    }
}

/// Plugins without HTTP and hub.
fn print_alone(comparisons: &[Comparison]) {
    println!();
    println!(
        "| called without a hub | tasks | calls/s | p50 µs | p99 µs | CPU µs | p50 of the hub beyond bare and this, µs |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for comparison in comparisons {
        let Comparison { title, connections, bare, hub, alone: Some(alone), .. } = comparison
        else {
            continue;
        };
        // With more, each waits for the others, and sums mean nothing.
        let beyond = match connections {
            1 => format!("{:.0}", hub.p50 - bare.p50 - alone.p50),
            _ => String::new(),
        };
        println!(
            "| {title} | {connections} | {} | {:.0} | {:.0} | {:.0} | {beyond} |",
            thousands(alone.per_second),
            alone.p50,
            alone.p99,
            alone.processor,
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

pub(crate) fn print_crowd(crowd: &Crowd) {
    let Crowd { streams, bare, of_one, of_many } = crowd;
    println!();
    println!(
        "| {} sessions with event streams, users | what happens | KiB each bare | KiB each hub | beyond bare | at most {BEYOND_BARE_MAX} | all have heard after ms (slowest) | at most {HEARD_MAX} |",
        thousands(float(*streams))
    );
    println!("|--:|---|--:|--:|--:|---|--:|---|");
    for (title, listeners) in
        [("a provider registers", of_one), ("a plugin comes or goes", of_many)]
    {
        let Listeners { users, each, heard } = listeners;
        let (beyond, [_, median, _]) = (each - bare, quartiles(heard));
        let slowest = heard.last().copied().unwrap_or(f64::INFINITY);
        println!(
            "| {users} | {title} | {bare:.1} | {each:.1} | {beyond:.1} | {} | {median:.0} ({slowest:.0}) | {} |",
            verdict(beyond, BEYOND_BARE_MAX),
            verdict(slowest, HEARD_MAX),
        );
    }
}

pub(crate) fn print_registrations(registrations: &Registrations) {
    let Registrations { users, providers, first, last } = registrations;
    let ratio = last / first;
    println!();
    println!(
        "| providers with 10 tools each | users | µs, first 100 | µs, last 100 | ratio | at most {GROWTH_MAX} |"
    );
    println!("|---|--:|--:|--:|--:|---|");
    println!(
        "| {} | {users} | {first:.0} | {last:.0} | {ratio:.2} | {} |",
        thousands(float(*providers)),
        verdict(ratio, GROWTH_MAX)
    );
}

pub(crate) fn print_loading(report: &Report) {
    println!();
    println!(
        "| loading | file KiB | compiling ms | cold: rename to news ms | … but compiling ms | cached: rename to news ms | memory of the first KiB | of each further KiB | start with 50 ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for plugin in &report.plugins {
        let Ok(Loading { title, file, compile, cold, cold_but_compile, cached, crowd }) = plugin
        else {
            continue;
        };
        let crowd = match crowd {
            Some(crowd) => {
                format!("{:.0} | {:.0} | {:.0}", crowd.first, crowd.further, crowd.start)
            }
            None => " | |".to_owned(),
        };
        println!(
            "| {title} | {file:.0} | {compile:.0} | {cold:.0} | {cold_but_compile:.0} | {cached:.0} | {crowd} |"
        );
    }
    println!();
    println!("A hub without plugins starts in {:.0} ms.", report.start);
    for why in report.plugins.iter().filter_map(|plugin| plugin.as_ref().err()) {
        println!("{why}");
    }
}

pub(crate) fn print_compiling(measured: &Result<Vec<Trouble>, String>) {
    println!();
    match measured {
        Ok(troubles) => print_troubles("while a big plugin is compiled", troubles),
        Err(why) => println!("{why}"),
    }
}

pub(crate) fn print_spinning(spinning: &Spinning) {
    let Spinning { trouble, ratio, granted, stopped: [first, middle, last] } = spinning;
    println!();
    print_troubles("while two plugins spin", std::slice::from_ref(trouble));
    println!();
    println!(
        "That is {ratio:.2} of the calm rate. Spinners are granted {granted:.0} ms and were stopped \
         after {first:.0} to {last:.0} ms (median {middle:.0})."
    );
}

fn print_troubles(what: &str, troubles: &[Trouble]) {
    println!(
        "| calls of the plugin in WAT | connections | requests/s calm | requests/s then | p50 µs calm | p50 µs then | p99 µs calm | p99 µs then |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for Trouble { connections, calm, troubled } in troubles {
        println!(
            "| {what} | {connections} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            thousands(calm.per_second),
            thousands(troubled.per_second),
            calm.p50,
            troubled.p50,
            calm.p99,
            troubled.p99,
        );
    }
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

fn verdict(measured: f64, bound: f64) -> &'static str {
    if measured <= bound { "held" } else { "missed" }
}

/// 1234567 as 1,234,567.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
