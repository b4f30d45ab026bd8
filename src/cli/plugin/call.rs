//! `mcp-hub plugin call`: runs one tool of a file, by the same ways as in the hub.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Value, value::RawValue};

use super::FileArgs;
use crate::{
    cli::{answer, call, progress::Reporter},
    hub::{Hub, registry::Audience},
    model::{
        call::{Call, Listener, LogLevel, Notice},
        error::CallError,
        id::UserId,
        json::Json,
    },
};

const HELP: &str = "\
The answer goes to stdout, progress and log messages to stderr, as with `mcp-hub call`.

Exit codes:
  0    the tool answered
  1    the tool reported an error; its words are on stdout
  2    the command line or the JSON is faulty
  3    the tool needs input first; what it asks for is on stderr
  4    the plugin is kept out, or the call failed; the reason is on stderr";

#[derive(Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct CallArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The tool, as `mcp-hub plugin check` names it
    tool: String,
    /// Its arguments, a JSON object; @FILE reads them from a file, - from stdin [default: {}]
    json: Option<String>,
}

pub(in crate::cli) async fn run(args: &CallArgs) -> anyhow::Result<ExitCode> {
    let arguments = call::arguments(args.json.as_deref().unwrap_or("{}"))?;
    let outcome = called(args, &arguments).await;
    match outcome {
        Ok(result) => call::tell(&args.tool, &result),
        Err(error) => {
            crate::cli::terminal::say(&format!("error: {error:#}"));
            Ok(ExitCode::from(4))
        }
    }
}

async fn called(args: &CallArgs, arguments: &RawValue) -> anyhow::Result<Box<RawValue>> {
    let (config, loader) = args.file.loader(|_| ())?;
    let name = args.file.file.display();
    let loaded = args.file.load(&loader).await.with_context(|| format!("{name} is kept out"))?;
    let hub = Hub::new(Arc::new(config.limits), config.failover, None, None);
    let _registration = loaded.offer(&hub, Audience::Everyone, "plugin")?;
    let (listener, mut notices) = Listener::new(true, Some(LogLevel::Debug));
    let call = Call {
        tool: args.tool.as_str().into(),
        arguments: Some(Json::from(arguments.get().to_owned())),
        listener: Some(Arc::new(listener)),
        ..Call::default()
    };
    let user = hub.user(&UserId::public());
    let mut answering = std::pin::pin!(hub.call(&user, call));
    let mut reporter = Reporter::new();
    let outcome = loop {
        tokio::select! {
            biased;
            Some(notice) = notices.next() => reporter.hear(&told(&notice)),
            outcome = &mut answering => break outcome,
        }
    };
    while let Some(notice) = notices.next().await {
        reporter.hear(&told(&notice));
    }
    drop(reporter);
    let output = outcome.map_err(|error| anyhow!("{}", sentences(&error)))?;
    Ok(RawValue::from_string(output.json.as_str().to_owned())?)
}

/// A notice as it would have come from a hub.
fn told(notice: &Notice) -> answer::Notice {
    let plain = |json: &Json| serde_json::from_str::<Value>(json.as_str()).unwrap_or_default();
    match notice {
        Notice::Progress(said) => answer::Notice::Progress(answer::Progress {
            progress: said.value,
            total: said.total.as_ref().and_then(|total| total.as_str().parse().ok()),
            message: said.message.as_ref().and_then(|it| plain(it).as_str().map(str::to_owned)),
        }),
        Notice::Log(said) => answer::Notice::Log(answer::Log {
            level: said.level.as_str().to_owned(),
            logger: None,
            data: plain(&said.data),
        }),
    }
}

fn sentences(error: &CallError) -> String {
    match error {
        CallError::Failed(failed) => {
            let causes: Vec<_> = failed.failures.iter().map(|f| f.cause.to_string()).collect();
            causes.join("; ")
        }
        CallError::UnknownTool { tool, close, .. } if !close.is_empty() => {
            format!("there is no tool {tool:?}; there is {}", close.join(", "))
        }
        other => other.to_string(),
    }
}
