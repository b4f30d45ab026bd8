//! The rules by which a provider's tools are taken in: all of them or none.

use std::{collections::HashSet, sync::Arc};

use serde_json::value::RawValue;

use crate::model::{
    limits::{Limits, bytes},
    tool::{Refusal, Tool},
};

/// Names longer than this are cut or refused by some clients.
const PORTABLE_NAME_BYTES_MAX: usize = 64;

/// Why a tool set is refused as a whole.
#[derive(Debug)]
pub(super) enum Faulty {
    TooMany {
        count: usize,
        max: usize,
    },
    /// The faulty ones of `count`, with their places in the set.
    Tools {
        count: usize,
        refused: Vec<(usize, Refusal)>,
    },
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMany { count, max } => write!(
                f,
                "{count} tools were declared; a provider may have {max} (limits.tools_per_provider)"
            ),
            Self::Tools { count, refused } => {
                write!(f, "{} of {count} tools are faulty; none was taken in", refused.len())
            }
        }
    }
}

impl Faulty {
    /// The key of the limit that was in the way, if it was one.
    pub(super) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooMany { .. } => Some("limits.tools_per_provider"),
            Self::Tools { refused, .. } => refused.iter().find_map(|(_, refusal)| refusal.limit),
        }
    }
}

/// Reads `definitions`, MCP tool objects.
pub(super) fn parse(definitions: &[&RawValue], limits: &Limits) -> Result<Vec<Arc<Tool>>, Faulty> {
    let (count, max) = (definitions.len(), limits.tools_per_provider.get());
    if count > max {
        return Err(Faulty::TooMany { count, max });
    }
    let bytes_max = bytes(limits.tool_definition);
    let (mut tools, mut refused) = (Vec::with_capacity(count), Vec::new());
    let mut names = HashSet::new();
    for (index, definition) in definitions.iter().enumerate() {
        match Tool::parse(definition, bytes_max) {
            Ok(tool) if names.insert(tool.name.clone()) => tools.push(Arc::new(tool)),
            Ok(tool) => {
                let (name, reason) = (Some(tool.name.to_string()), "declared twice".into());
                refused.push((index, Refusal { name, reason, limit: None }));
            }
            Err(refusal) => refused.push((index, refusal)),
        }
    }
    if refused.is_empty() { Ok(tools) } else { Err(Faulty::Tools { count, refused }) }
}

/// What is to be said of a tool's name although it is taken in.
pub(super) fn warning(name: &str) -> Option<String> {
    let is_long = name.len() > PORTABLE_NAME_BYTES_MAX;
    is_long.then(|| {
        format!(
            "the name {name:?} is longer than {PORTABLE_NAME_BYTES_MAX} bytes; some clients cut it"
        )
    })
}
