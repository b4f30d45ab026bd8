//! `mcp-hub plugin check`: loads a file as the hub would.

use std::process::ExitCode;

use anyhow::Context;
use bytesize::ByteSize;
use clap::Args;

use super::FileArgs;
use crate::{cli::terminal, cli::tools, provider::plugin::Loaded};

const HELP: &str = "\
What it prints: the file's digest and size, how long it took to compile, the interfaces it imports, \
what its NAME.toml permits and what it would need beside that, and its tools.

Exit codes:
  0  the hub would take it in
  1  the hub would keep it out; the reason is on stderr";

/// Imports that are of no use without a permission, and the key that grants it.
const NEEDS: &[(&str, &str, &str)] = &[
    ("wasi:http/", "network", "it can send HTTP requests"),
    ("wasi:filesystem/", "read", "it can open files"),
    ("wasi:cli/environment@", "env", "it can read environment variables"),
];

#[derive(Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    file: FileArgs,
}

pub(in crate::cli) async fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    // A cache of its own, so that it is compiled however often it was before.
    let cache = tempfile::tempdir().context("there is no place for native code")?;
    let folder = cache.path().join("native");
    let (_, loader) = args.file.loader(|config| config.plugins.cache = Some(folder))?;
    let name = args.file.file.display();
    let loaded = args.file.load(&loader).await.with_context(|| format!("{name} is kept out"))?;
    terminal::print(&report(&loaded, &name.to_string())?)?;
    Ok(ExitCode::SUCCESS)
}

fn report(loaded: &Loaded, name: &str) -> anyhow::Result<String> {
    let bounds = loaded.plugin.bounds();
    let size = |bytes: usize| ByteSize::b(bytes as u64).display().iec().to_string();
    let mut report = String::new();
    let mut row = |title: &str, values: &[String]| {
        for (number, value) in values.iter().enumerate() {
            let title = if number == 0 { title } else { "" };
            report.push_str(&format!("{title:<12}{value}\n"));
        }
    };
    row("file", &[format!("{name}, {} bytes", loaded.bytes)]);
    row("sha256", std::slice::from_ref(&loaded.digest));
    let contract = match loaded.outline.is_provider {
        true => "mcp-hub:plugin/provider",
        false => "its own typed functions, by reflection",
    };
    row("contract", &[contract.to_owned()]);
    if let Some(time) = loaded.compiled_in {
        row("compiled in", &[format!("{} ms", time.as_millis())]);
    }
    row(
        "bounds",
        &[format!(
            "{} of memory, {:?}, {} of output",
            size(bounds.memory),
            bounds.time,
            size(bounds.output)
        )],
    );
    row("imports", &or_none(&loaded.outline.imports));
    row("permitted", &or_none(&loaded.permissions));
    row("might need", &needs(loaded));
    row("warning", &loaded.warnings);
    report.push_str("tools\n");
    let tools = tools::listing(loaded.tools.iter().map(|tool| &*tool.definition));
    report.extend(tools.lines().map(|line| format!("  {line}\n")));
    Ok(report.trim_end().to_owned())
}

fn or_none(all: &[String]) -> Vec<String> {
    if all.is_empty() { vec!["nothing".to_owned()] } else { all.to_vec() }
}

/// What it imports and is not permitted. Many languages import files and variables in any case.
fn needs(loaded: &Loaded) -> Vec<String> {
    let has = |key: &str| loaded.permissions.iter().any(|granted| granted.starts_with(key));
    let lacks = NEEDS.iter().filter(|(import, key, _)| {
        let is_granted = has(key) || (*key == "read" && has("write"));
        loaded.outline.asks_for(import) && !is_granted
    });
    lacks.map(|(_, key, why)| format!("{key}: {why}")).collect()
}
