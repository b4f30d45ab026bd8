//! `mcp-hub call`: calls one tool; the answer goes to stdout, everything else to stderr.

use std::{
    fs,
    io::{self, Read},
    process::ExitCode,
};

use clap::Args;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};

use super::{HubArgs, failure::Failure, mcp, progress::Reporter, render::Outcome, terminal};

const HELP: &str = "\
Examples:
  mcp-hub call countdown '{\"seconds\":3}'
  mcp-hub call search @query.json
  echo '{\"name\":\"Ada\"}' | mcp-hub call greet -

Text goes to stdout as it is; images, audio and resources are described in a line; structured \
content is printed as JSON when there is no text. Progress and log messages go to stderr. Ctrl-C \
cancels the call.

Exit codes:
  0    the tool answered
  1    the tool reported an error; its words are on stdout
  2    the command line or the JSON is faulty
  3    the tool needs input first; what it asks for is on stderr
  4    the hub refused, has no such tool, or cannot be reached
  130  cancelled with Ctrl-C";

#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct CallArgs {
    /// The tool, as `mcp-hub tools` names it
    tool: String,
    /// Its arguments, a JSON object; @FILE reads them from a file, - from stdin [default: {}]
    json: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
}

pub(super) async fn run(args: &CallArgs) -> anyhow::Result<ExitCode> {
    let arguments = arguments(args.json.as_deref().unwrap_or("{}"))?;
    // Listened for before anything is sent: from then on an interrupt has something to undo.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut client = mcp::Client::new(&args.hub)?;
    let mut reporter = Reporter::new();
    let mut hear = |notice| reporter.hear(&notice);
    let result = tokio::select! {
        result = client.call(&args.tool, &arguments, &mut hear) => result,
        _ = interrupt.recv() => Err(Failure::Interrupted),
    };
    drop(reporter);
    tell(&args.tool, &result?)
}

pub(super) fn tell(tool: &str, result: &RawValue) -> anyhow::Result<ExitCode> {
    // A result that is none of the known shapes is still an answer.
    let Ok(outcome) = serde_json::from_str::<Outcome<'_>>(result.get()) else {
        terminal::print(result.get())?;
        return Ok(ExitCode::SUCCESS);
    };
    if outcome.asks_for_input() {
        terminal::say(&format!("{tool} needs input that cannot be given here:"));
        outcome.wanted().iter().for_each(|wanted| terminal::say(&format!("  {wanted}")));
        return Ok(ExitCode::from(3));
    }
    for shown in outcome.shown() {
        terminal::print(&shown)?;
    }
    if outcome.is_error {
        terminal::say(&format!("error: {tool} reported an error"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments from where they are said to be, passed on as they were written.
pub(super) fn arguments(source: &str) -> Result<Box<RawValue>, Failure> {
    let (text, place) = match source.strip_prefix('@') {
        Some(path) => (fs::read_to_string(path), path),
        None if source == "-" => {
            let mut text = String::new();
            (io::stdin().read_to_string(&mut text).map(|_| text), "stdin")
        }
        None => (Ok(source.to_owned()), "the command line"),
    };
    let text = text.map_err(|error| Failure::Usage(format!("cannot read {place}: {error}")))?;
    let json = RawValue::from_string(text.trim().to_owned())
        .map_err(|error| Failure::Usage(format!("{place} has no valid JSON: {error}")))?;
    if !json.get().starts_with('{') {
        let hint = r#"a tool takes a JSON object, such as '{"name":"Ada"}'"#;
        return Err(Failure::Usage(format!("{hint}, and {place} has {}", kind(json.get()))));
    }
    Ok(json)
}

fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_passed_on_as_written() {
        let check = |source: &str, json: &str| assert_eq!(arguments(source).unwrap().get(), json);
        check(r#" {"a": 1.00, "a": 2} "#, r#"{"a": 1.00, "a": 2}"#);
    }

    #[test]
    fn faulty_arguments_are_refused_with_a_reason() {
        let check = |source: &str, reason: &str| {
            let error = arguments(source).unwrap_err().to_string();
            assert!(error.contains(reason), "{source}: {error}");
        };
        check("{name:1}", "the command line has no valid JSON");
        check("[1]", "the command line has an array");
        check("@/nowhere/at.all", "cannot read /nowhere/at.all");
    }
}
