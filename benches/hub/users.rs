//! A thousand users who ask in turn, beside one who asks as often.

use crate::{
    args::Pace,
    ask::Ask,
    child::Server,
    compare::{Comparison, compare_at},
    descriptors, guest,
    hub::{self, Home},
    load::Target,
    plugin::WAT,
    user::User,
};

const MANY: usize = 1_000;
/// How many ask at once; each goes round its share of the users.
const CONNECTIONS: usize = 64;
/// Of each user's own provider.
const TOOLS: usize = 10;

/// Lists and calls where each user has a provider with a socket of its own, and calls of a plugin
/// that all of them share.
pub(crate) async fn measure(pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    descriptors::allow(MANY + CONNECTIONS)?;
    let mut comparisons = Vec::new();
    let (one, many) = (Populace::with_providers(1).await?, Populace::with_providers(MANY).await?);
    for (title, ask) in [
        ("tools/list, 1,000 users, beside one", Ask::List { tools: TOOLS }),
        ("tools/call, 1,000 users, beside one", Ask::Call),
    ] {
        let (one, many) = (one.target(ask), many.target(ask));
        comparisons.push(compare_at(title, CONNECTIONS, &one, &many, None, pace)?);
    }
    let (one, many) = (Populace::with_plugin(1).await?, Populace::with_plugin(MANY).await?);
    let (one, many) = (one.target(Ask::Plugin(&WAT)), many.target(Ask::Plugin(&WAT)));
    let title = "tools/call, plugin in WAT, 1,000 users, beside one";
    comparisons.push(compare_at(title, CONNECTIONS, &one, &many, None, pace)?);
    Ok(comparisons)
}

/// A hub and its users.
struct Populace {
    hub: Server,
    port: u16,
    users: Vec<User>,
    /// The plugin's file and the providers' process, which have to be there.
    _home: Home,
    _providers: Option<Server>,
}

impl Populace {
    async fn with_providers(users: usize) -> anyhow::Result<Self> {
        let home = Home::with_users()?;
        let (hub, port) = home.start().await?;
        let [tools, count] = [TOOLS, users].map(|number| number.to_string());
        let mut providers = Server::role(&["provider", &port.to_string(), &tools, &count])?;
        providers.says("registered").await?;
        let users = User::many(users)?;
        Ok(Self { hub, port, users, _home: home, _providers: Some(providers) })
    }

    async fn with_plugin(users: usize) -> anyhow::Result<Self> {
        let home = Home::with_users()?;
        home.put("bench", &guest::echo())?;
        let (hub, port) = home.start().await?;
        hub::ready(port).await?;
        Ok(Self { hub, port, users: User::many(users)?, _home: home, _providers: None })
    }

    fn target(&self, ask: Ask) -> Target<'_> {
        Target { server: &self.hub, port: self.port, ask, users: &self.users }
    }
}
