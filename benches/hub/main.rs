//! What the hub costs: its speed beside the same work done without one, and its memory.
//!
//! `cargo bench --bench hub` starts every server it needs and prints Markdown; docs/benchmarks.md
//! says how to read it. Each server is a process of its own: the hub is the real binary, the
//! others are this program started again in a role.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the tables are for people to read")]

mod alone;
mod args;
mod ask;
mod child;
mod compare;
mod crowd;
mod descriptors;
mod fixed;
mod guest;
mod hold;
mod http;
mod hub;
mod load;
mod loading;
mod memory;
mod plugin;
mod provider;
mod registrations;
mod relay;
mod report;
mod session;
mod speed;
mod trouble;
mod user;
mod users;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Role};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.role {
        None => measure(&args),
        Some(Role::Fixed { answer }) => fixed::run(answer),
        Some(Role::Hold) => hold::run(),
        Some(Role::Relay) => relay::run(),
        Some(Role::Provider { port, tools, users }) => provider::run(*port, *tools, *users),
        Some(Role::Watch { port, dashboards }) => watch::run(*port, *dashboards),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(args: &Args) -> anyhow::Result<()> {
    let pace = args.pace();
    let (mut comparisons, mut absent) = (Vec::new(), Vec::new());
    for subject in speed::SUBJECTS.iter().filter(|subject| args.wants(subject.name())) {
        match speed::measure(subject, &args.plugins, &pace).await? {
            Ok(measured) => comparisons.extend(measured),
            Err(why) => absent.push(why),
        }
    }
    report::print_speed(&pace, &comparisons, &absent);
    if args.wants(memory::NAME) {
        report::print_memory(&memory::measure(&pace).await?);
    }
    if args.wants(crowd::NAME) {
        report::print_crowd(&crowd::measure(&pace).await?);
    }
    if args.wants(registrations::NAME) {
        report::print_registrations(&registrations::measure(&pace).await?);
    }
    if args.wants(loading::NAME) {
        report::print_loading(&loading::measure(&pace, &args.plugins, &args.big()).await?);
    }
    if args.wants(trouble::COMPILING) {
        report::print_compiling(&trouble::compiling(&pace, &args.big()).await?);
    }
    if args.wants(trouble::SPINNING) {
        report::print_spinning(&trouble::spinning(&pace).await?);
    }
    Ok(())
}
