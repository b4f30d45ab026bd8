//! How others fare while a plugin is compiled, and while plugins compute for ever.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, anyhow, ensure};
use tokio::{
    runtime,
    time::{Instant, sleep},
};

use crate::{
    args::Pace,
    ask::{Ask, tool_call},
    compare::{median, medians, quartiles, sorted},
    guest::{self, SPIN},
    http::Connection,
    hub::{self, Home},
    load::{Round, Target, drive},
    plugin::{self, WAT},
    user::User,
};

pub(crate) const COMPILING: &str = "plugin-compiling";
pub(crate) const SPINNING: &str = "plugin-spinning";

const SPINNERS: usize = 2;
/// How many connections ask while others spin.
const CONNECTIONS: usize = 16;
/// What a spinner is granted beyond the round in which others are looked at.
const MARGIN: Duration = Duration::from_millis(200);
/// How long the trouble lasts before others are looked at.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// The calls of others, without and with something else going on.
pub(crate) struct Trouble {
    pub(crate) connections: usize,
    pub(crate) calm: Round,
    pub(crate) troubled: Round,
}

/// Calls of the plugin in WAT while a big component is compiled, or why that is not known.
pub(crate) async fn compiling(
    pace: &Pace,
    big: &Path,
) -> anyhow::Result<Result<Vec<Trouble>, String>> {
    eprintln!("calls while a plugin is compiled …");
    let wasm = match plugin::file(big) {
        Ok(wasm) => wasm,
        Err(why) => {
            return Ok(Err(format!("calls while a plugin is compiled: not measured: {why}")));
        }
    };
    let mut troubles = Vec::new();
    for connections in [1, CONNECTIONS] {
        let home = with_echo()?;
        let (server, port) = home.start().await?;
        hub::ready(port).await?;
        let target = Target::of(&server, port, Ask::Plugin(&WAT));
        let (mut calm, mut troubled) = (Vec::new(), Vec::new());
        for _round in 0..pace.rounds {
            calm.push(drive(&target, connections, pace)?);
        }
        home.put("big", &wasm)?;
        hub::is(port, "big", "loading").await?;
        sleep(UNDER_WAY).await;
        while troubled.len() < pace.rounds {
            let round = drive(&target, connections, pace)?;
            if hub::status(port, "big").await?["state"] != "loading" {
                break;
            }
            troubled.push(round);
        }
        if troubled.is_empty() {
            return Ok(Err(
                "calls while a plugin is compiled: not measured: it is too quick".into()
            ));
        }
        troubles.push(Trouble { connections, calm: medians(&calm), troubled: medians(&troubled) });
    }
    Ok(Ok(troubles))
}

/// What was seen while guests computed for ever.
pub(crate) struct Spinning {
    pub(crate) trouble: Trouble,
    /// Of each pair of rounds, requests per second with spinners over those without; the median.
    pub(crate) ratio: f64,
    /// What a spinner is granted, in milliseconds.
    pub(crate) granted: f64,
    /// When spinners were told that it is over: the first, the median and the last.
    pub(crate) stopped: [f64; 3],
}

pub(crate) async fn spinning(pace: &Pace) -> anyhow::Result<Spinning> {
    eprintln!("calls while plugins spin …");
    let long = Pace { warm_up: pace.warm_up + UNDER_WAY, round: pace.round * 2, ..*pace };
    let granted = long.warm_up + long.round + MARGIN;
    let home = with_echo()?;
    home.permit(SPIN, &format!("[limits]\ntime = \"{}ms\"\n", granted.as_millis()))?;
    home.put(SPIN, &guest::spin())?;
    let (server, port) = home.start().await?;
    hub::ready(port).await?;
    let target = Target::of(&server, port, Ask::Plugin(&WAT));
    let (mut calm, mut troubled, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for _round in 0..pace.rounds {
        calm.push(drive(&target, CONNECTIONS, &long)?);
        thread::scope(|scope| {
            let spinners: Vec<_> = (0..SPINNERS).map(|_| scope.spawn(|| spin(port))).collect();
            troubled.push(drive(&target, CONNECTIONS, &long)?);
            for spinner in spinners {
                stopped.push(spinner.join().map_err(|_panic| anyhow!("a spinner panicked"))??);
            }
            anyhow::Ok(())
        })?;
    }
    let pairs = calm.iter().zip(&troubled);
    let ratio = median(pairs.map(|(calm, troubled)| troubled.per_second / calm.per_second));
    let stopped = sorted(stopped.into_iter());
    let last = *stopped.last().context("nobody spun")?;
    Ok(Spinning {
        trouble: Trouble {
            connections: CONNECTIONS,
            calm: medians(&calm),
            troubled: medians(&troubled),
        },
        ratio,
        granted: granted.as_secs_f64() * 1e3,
        stopped: [stopped[0], quartiles(&stopped)[1], last],
    })
}

/// Has a guest spin; tells after how many milliseconds it was over.
fn spin(port: u16) -> anyhow::Result<f64> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(port).await?;
        let asked = Instant::now();
        let answer = connection.exchange(&tool_call(port, &User::only(), 1, SPIN, "{}")).await?;
        let taken = asked.elapsed().as_secs_f64() * 1e3;
        let answer = String::from_utf8_lossy(answer);
        ensure!(answer.contains("ran out of time"), "a spinner said {answer}");
        Ok(taken)
    })
}

/// With the plugin whose calls are disturbed.
fn with_echo() -> anyhow::Result<Home> {
    let home = Home::new()?;
    home.put("echo", &guest::echo())?;
    Ok(home)
}
