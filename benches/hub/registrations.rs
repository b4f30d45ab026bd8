//! What it costs to take in one more provider when thousands are there.

use anyhow::Context;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    args::Pace,
    ask::Ask,
    compare::median,
    descriptors,
    http::Connection,
    hub::Home,
    provider::{dial, enrol, serve, tool},
    user::User,
};

pub(crate) const NAME: &str = "registrations";

const PROVIDERS_PER_USER: usize = 10;
const TOOLS_PER_PROVIDER: usize = 10;

/// How many of the first and of the last are looked at.
const LOOKED_AT: usize = 100;

pub(crate) struct Registrations {
    pub(crate) users: usize,
    pub(crate) providers: usize,
    /// From `providers/register` to its answer, in microseconds: the median of the first ones.
    pub(crate) first: f64,
    /// The same of the last.
    pub(crate) last: f64,
}

/// The users take turns, so that the last ones to come meet many providers of others and all others
/// of their own user.
pub(crate) async fn measure(pace: &Pace) -> anyhow::Result<Registrations> {
    let count = pace.users * PROVIDERS_PER_USER;
    eprintln!("{count} registrations …");
    descriptors::allow(count)?;
    let (_hub, port) = Home::with_users()?.start().await?;
    let users = User::many(pace.users)?;
    let mut serving = JoinSet::new();
    let mut taken = Vec::new();
    for provider in 0..PROVIDERS_PER_USER {
        let name = |number| format!("tool-{provider:02}-{number:02}");
        let offer: Vec<_> = (0..TOOLS_PER_PROVIDER).map(|number| tool(&name(number))).collect();
        for user in &users {
            let mut socket = dial(port, user).await?;
            let sent = Instant::now();
            enrol(&mut socket, &format!("bench-{provider}"), &offer).await?;
            taken.push(sent.elapsed().as_secs_f64() * 1e6);
            serving.spawn(serve(socket));
        }
    }
    all_are_there(port, &users).await?;
    let (first, last) = (&taken[..LOOKED_AT], &taken[count - LOOKED_AT..]);
    Ok(Registrations {
        users: pace.users,
        providers: count,
        first: median(first.iter().copied()),
        last: median(last.iter().copied()),
    })
}

/// Fails unless each user is offered the tools of all their providers.
async fn all_are_there(port: u16, users: &[User]) -> anyhow::Result<()> {
    let ask = Ask::List { tools: PROVIDERS_PER_USER * TOOLS_PER_PROVIDER };
    let mut connection = Connection::open(port).await?;
    for user in users {
        let answer = connection.exchange(&ask.request(port, user, 1)).await?;
        ask.check(answer, 1).context("a provider is missing")?;
    }
    Ok(())
}
