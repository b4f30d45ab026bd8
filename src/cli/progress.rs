//! What a running call tells, on stderr: a bar on a terminal, plain lines elsewhere.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{
    answer::{Log, Notice, Progress},
    terminal,
};

/// Progress comes in fractions, a bar moves in steps.
const STEPS: u64 = 1000;
const TICK: Duration = Duration::from_millis(120);

/// Clears its bar when it is dropped, so that the answer starts on a clean line.
pub(super) struct Reporter {
    is_terminal: bool,
    bar: Option<ProgressBar>,
}

impl Reporter {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), bar: None }
    }

    pub(super) fn hear(&mut self, notice: &Notice) {
        match (notice, &self.bar) {
            (Notice::Progress(progress), _) if self.is_terminal => self.draw(progress),
            (Notice::Progress(progress), _) => {
                terminal::say(&format!("progress {}", told(progress)));
            }
            (Notice::Log(log), Some(bar)) => bar.suspend(|| terminal::say(&logged(log))),
            (Notice::Log(log), None) => terminal::say(&logged(log)),
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(STEPS);
            bar.enable_steady_tick(TICK);
            bar
        });
        let style = match part(progress) {
            Some(part) => {
                bar.set_position(part);
                "{bar:30} {wide_msg}"
            }
            None => "{spinner} {wide_msg}",
        };
        bar.set_style(ProgressStyle::with_template(style).expect("a template that parses"));
        bar.set_message(told(progress));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far the bar goes; `None` when nobody knows where it ends.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the bar just before"
)]
fn part(progress: &Progress) -> Option<u64> {
    let total = progress.total.filter(|total| *total > 0.0)?;
    Some(((progress.progress / total).clamp(0.0, 1.0) * STEPS as f64) as u64)
}

fn told(progress: &Progress) -> String {
    let mut told = progress.progress.to_string();
    if let Some(total) = progress.total {
        told.push_str(&format!("/{total}"));
    }
    if let Some(message) = &progress.message {
        told.push_str(&format!(" {}", terminal::line(message)));
    }
    told
}

fn logged(log: &Log) -> String {
    let text = match &log.data {
        Value::String(text) => terminal::lines(text),
        data => data.to_string(),
    };
    let level = terminal::line(&log.level);
    match &log.logger {
        Some(logger) => format!("{level} {}: {text}", terminal::line(logger)),
        None => format!("{level}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(json: &str) -> Progress {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn progress_is_told_as_far_as_it_is_known() {
        let check = |json: &str, line: &str| assert_eq!(told(&progress(json)), line);
        check(r#"{"progress":3,"total":10,"message":"third"}"#, "3/10 third");
        check(r#"{"progress":0.5,"total":1}"#, "0.5/1");
        check(r#"{"progress":7}"#, "7");
    }

    #[test]
    fn the_bar_stays_between_its_ends() {
        let check = |json: &str, expected| assert_eq!(part(&progress(json)), expected);
        check(r#"{"progress":3,"total":10}"#, Some(300));
        check(r#"{"progress":30,"total":10}"#, Some(STEPS));
        check(r#"{"progress":-1,"total":10}"#, Some(0));
        check(r#"{"progress":3,"total":0}"#, None);
        check(r#"{"progress":3}"#, None);
    }

    #[test]
    fn a_log_message_names_its_level_and_source() {
        let check = |json: &str, line: &str| {
            assert_eq!(logged(&serde_json::from_str(json).unwrap()), line);
        };
        check(r#"{"level":"info","data":"hello"}"#, "info: hello");
        check(r#"{"level":"error","logger":"db","data":{"a":1}}"#, r#"error db: {"a":1}"#);
    }
}
