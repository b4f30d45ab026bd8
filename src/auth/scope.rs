//! What a token lets its bearer do.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// List and call tools.
    Tools,
    /// Connect a provider.
    Provide,
    /// See what all users have.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Tools, Self::Provide, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "mcp:tools",
            Self::Provide => "mcp:provide",
            Self::Admin => "hub:admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
