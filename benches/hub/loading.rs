//! What it takes to have plugins: time until one serves, memory, and time to start with many.

use std::path::Path;

use anyhow::{Context, ensure};
use tokio::time::{Instant, timeout};

use crate::{
    args::Pace,
    compare::median,
    guest::variant,
    http::Connection,
    hub::{self, Home, PATIENCE},
    plugin::{self, QUICKJS, RUST, WAT, Wasm},
    session::open_stream,
    user::User,
};

pub(crate) const NAME: &str = "plugin-loading";

/// How many there are in a hub that has many.
const CROWD: u8 = 50;

const CHANGED: &str = "notifications/tools/list_changed";

/// Of one plugin; times in milliseconds, each a median.
pub(crate) struct Loading {
    pub(crate) title: &'static str,
    /// In KiB, like all sizes.
    pub(crate) file: f64,
    pub(crate) compile: f64,
    /// From the renaming until the client hears of it.
    pub(crate) cold: f64,
    /// How much of that is not compiling.
    pub(crate) cold_but_compile: f64,
    /// The same when the native code is in the cache.
    pub(crate) cached: f64,
    pub(crate) crowd: Option<Crowd>,
}

/// Of a hub with many plugins, all in the cache.
pub(crate) struct Crowd {
    pub(crate) start: f64,
    /// What the first plugin adds to the memory of the hub, and each further one.
    pub(crate) first: f64,
    pub(crate) further: f64,
}

pub(crate) struct Report {
    /// From start to service of a hub without plugins.
    pub(crate) start: f64,
    pub(crate) plugins: Vec<Result<Loading, String>>,
}

pub(crate) async fn measure(pace: &Pace, folder: &Path, big: &Path) -> anyhow::Result<Report> {
    let mut plugins = Vec::new();
    for plugin in [&WAT, &RUST, &QUICKJS] {
        plugins.push(one(plugin.title, plugin.wasm(folder), true, pace).await?);
    }
    // Compiling dozens of these takes too long.
    plugins.push(one("a big one", plugin::file(big), false, pace).await?);
    let (start, _resident) = started(&Home::new()?, pace.repeats).await?;
    Ok(Report { start, plugins })
}

async fn one(
    title: &'static str,
    wasm: Wasm,
    may_crowd: bool,
    pace: &Pace,
) -> anyhow::Result<Result<Loading, String>> {
    eprintln!("loading, {title} …");
    let wasm = match wasm {
        Ok(wasm) => wasm,
        Err(why) => return Ok(Err(format!("{title}: not measured: {why}"))),
    };
    let home = Home::new()?;
    let (_server, port) = home.start().await?;
    let mut stream = open_stream(port, &User::only()).await?;
    let (mut compile, mut cold, mut rest, mut cached) = (vec![], vec![], vec![], vec![]);
    for round in 0..pace.repeats {
        // Another file each time, so that there is no native code of it.
        let wasm = variant(&wasm, u8::try_from(round)?);
        let taken = news(&mut stream, || home.put("bench", &wasm)).await?;
        let compiled = hub::status(port, "bench").await?["serving"]["compileMs"].as_f64();
        let compiled = compiled.context("it was in the cache")?;
        compile.push(compiled);
        cold.push(taken);
        rest.push(taken - compiled);
        news(&mut stream, || home.remove("bench")).await?;
        cached.push(news(&mut stream, || home.put("bench", &wasm)).await?);
        news(&mut stream, || home.remove("bench")).await?;
    }
    let crowd = if may_crowd { Some(crowd(&wasm, pace).await?) } else { None };
    Ok(Ok(Loading {
        title,
        file: f64::from(u32::try_from(wasm.len())?) / 1024.0,
        compile: median(compile),
        cold: median(cold),
        cold_but_compile: median(rest),
        cached: median(cached),
        crowd,
    }))
}

/// Milliseconds until a client hears of a change.
async fn news(
    stream: &mut Connection,
    change: impl FnOnce() -> std::io::Result<()>,
) -> anyhow::Result<f64> {
    let changed = Instant::now();
    change()?;
    let heard = timeout(PATIENCE, stream.hear(CHANGED)).await;
    heard.context("nobody heard of a change")??;
    Ok(changed.elapsed().as_secs_f64() * 1e3)
}

async fn crowd(wasm: &[u8], pace: &Pace) -> anyhow::Result<Crowd> {
    let home = Home::new()?;
    let (_start, none) = started(&home, 1).await?;
    home.put("bench-0", wasm)?;
    // The first start fills the cache, and what it keeps of that is not counted.
    started(&home, 1).await?;
    let (_start, one) = started(&home, 1).await?;
    for number in 1..CROWD {
        home.put(&format!("bench-{number}"), &variant(wasm, number))?;
    }
    started(&home, 1).await?;
    let (start, all) = started(&home, pace.repeats).await?;
    let further = (all - one) / f64::from(CROWD - 1);
    Ok(Crowd { start, first: one - none, further })
}

/// Milliseconds from start to service, and the memory then.
async fn started(home: &Home, times: usize) -> anyhow::Result<(f64, f64)> {
    let (mut start, mut resident) = (Vec::new(), Vec::new());
    for _time in 0..times {
        let begun = Instant::now();
        let (server, port) = home.start().await?;
        hub::ready(port).await?;
        start.push(begun.elapsed().as_secs_f64() * 1e3);
        resident.push(server.resident()?);
        let faulty = hub::plugins(port).await?;
        let faulty = faulty.iter().find(|plugin| plugin["state"] != "serving");
        ensure!(faulty.is_none(), "a plugin is kept out: {faulty:?}");
    }
    Ok((median(start), median(resident)))
}
