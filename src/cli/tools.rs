//! `mcp-hub tools`: what a hub offers, as a list to read or as JSON.

use std::{fmt::Write, process::ExitCode};

use clap::Args;
use console::measure_text_width as width_of;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{HubArgs, mcp, terminal};

/// Longer names get a line of their own, so that one of them does not squeeze all descriptions.
const NAME_WIDTH_MAX: usize = 32;
const TEXT_WIDTH_MIN: usize = 24;
const GAP: usize = 2;

const EXIT_CODES: &str = "\
Exit codes:
  0  the list was printed, even if it is empty
  2  the command line is faulty
  4  the hub refused or cannot be reached";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ToolsArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Print the tools as the hub sent them, schemas and all
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ToolsArgs) -> anyhow::Result<ExitCode> {
    let tools = mcp::Client::new(&args.hub)?.tools().await?;
    if args.json {
        let tools: Vec<_> = tools.iter().map(|tool| tool.get()).collect();
        terminal::print(&format!("[{}]", tools.join(",\n")))?;
    } else if tools.is_empty() {
        terminal::say("The hub offers no tools yet; they appear when a provider connects.");
    } else {
        terminal::print(&listing(tools.iter().map(|tool| &**tool)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of `tools`, MCP tool objects, and what they do.
pub(super) fn listing<'a>(tools: impl Iterator<Item = &'a RawValue>) -> String {
    let rows: Vec<_> = tools.map(Row::of).collect();
    list(&rows, terminal::width())
}

struct Row {
    name: String,
    text: String,
}

impl Row {
    fn of(tool: &RawValue) -> Self {
        #[derive(Default, Deserialize)]
        struct Tool {
            name: String,
            title: Option<String>,
            description: Option<String>,
        }
        let tool: Tool = serde_json::from_str(tool.get()).unwrap_or_default();
        let description = tool.description.or(tool.title).unwrap_or_default();
        let first = description.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Self { name: terminal::line(&tool.name), text: terminal::line(first) }
    }
}

/// Two columns. Without a width, for a file or a pipe, each tool stays on one line.
fn list(rows: &[Row], width: Option<usize>) -> String {
    let names = rows.iter().map(|row| width_of(&row.name)).filter(|width| *width <= NAME_WIDTH_MAX);
    let indent = names.max().unwrap_or(0) + GAP;
    let room = width.map(|width| width.saturating_sub(indent).max(TEXT_WIDTH_MIN));
    let mut list = String::new();
    for Row { name, text } in rows {
        list.push_str(name);
        let beside = width_of(name) + GAP <= indent || room.is_none();
        for (number, line) in wrap(text, room).iter().enumerate() {
            let blanks = if number == 0 && beside {
                indent.saturating_sub(width_of(name)).max(GAP)
            } else {
                list.push('\n');
                indent
            };
            write!(list, "{:blanks$}{line}", "").expect("a String takes everything");
        }
        list.push('\n');
    }
    list
}

/// Breaks between words, so that a line fits into `room` columns unless one word does not.
fn wrap(text: &str, room: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if room.is_none_or(|room| width_of(line) + 1 + width_of(word) <= room) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, text: &str) -> Row {
        Row { name: name.into(), text: text.into() }
    }

    #[test]
    fn descriptions_are_aligned_and_wrapped_to_the_terminal() {
        let long = "a_name_that_is_longer_than_its_column";
        let rows = [
            row("greet", "Greets someone by name, in the language of the house"),
            row("up", ""),
            row(long, "Short"),
        ];
        let expected = format!(
            "greet  Greets someone by name, in\n       the language of the house\n\
             up\n\
             {long}\n       Short\n"
        );
        assert_eq!(list(&rows, Some(36)), expected);
    }

    #[test]
    fn in_a_pipe_each_tool_stays_on_one_line() {
        let rows = [row("greet", &"word ".repeat(60)), row("countdown", "Counts")];
        let list = list(&rows, None);
        assert_eq!(list.lines().count(), 2);
        assert!(list.ends_with("countdown  Counts\n"), "{list}");
    }

    #[test]
    fn a_row_shows_the_first_line_that_says_something() {
        let tool = r#"{"name":"a","description":"\n  First line.\nSecond"}"#;
        let row = Row::of(&RawValue::from_string(tool.into()).unwrap());
        assert_eq!((row.name.as_str(), row.text.as_str()), ("a", "First line."));
    }
}
