//! Names of tools: as short as the component's functions can be told apart.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

/// Bytes of a tool's name. MCP allows 128; several models' interfaces take no more than this.
const NAME_BYTES_MAX: usize = 64;

/// Where a function is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// `ns:package/interface@version`, or a bare name; `None` for a function of the world itself.
    pub(super) interface: Option<String>,
    pub(super) function: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}#{}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

impl Origin {
    /// The interface without package and version.
    pub(super) fn interface_name(&self) -> Option<&str> {
        let unversioned = self.interface.as_deref()?.split('@').next()?;
        unversioned.rsplit('/').next()
    }

    /// From the short to the unmistakable.
    fn names(&self) -> [String; 3] {
        // The static functions of a resource are functions like others.
        let function = self.function.strip_prefix("[static]").unwrap_or(&self.function);
        let below = |place: Option<&str>| match place {
            Some(place) => legal(&format!("{place}_{function}")),
            None => legal(function),
        };
        [legal(function), below(self.interface_name()), below(self.interface.as_deref())]
    }
}

/// A name for each, none twice.
pub(super) fn names(origins: &[Origin]) -> Vec<String> {
    let candidates: Vec<_> = origins.iter().map(Origin::names).collect();
    let mut names = vec![None; origins.len()];
    let mut taken = HashSet::new();
    for level in 0..3 {
        let wanted = candidates.iter().map(|candidates| &candidates[level]).enumerate();
        let open: Vec<_> = wanted.filter(|(index, _)| names[*index].is_none()).collect();
        let mut uses = HashMap::new();
        for (_, name) in &open {
            *uses.entry(*name).or_insert(0) += 1;
        }
        for (index, name) in open {
            if uses[name] == 1 && taken.insert(name.clone()) {
                names[index] = Some(name.clone());
            }
        }
    }
    let full = candidates.into_iter().map(|[_, _, full]| full);
    names
        .into_iter()
        .zip(full)
        .map(|(name, full)| name.unwrap_or_else(|| numbered(&full, &mut taken)))
        .collect()
}

fn numbered(name: &str, taken: &mut HashSet<String>) -> String {
    let numbers = (2_usize..).map(|number| legal(&format!("{name}_{number}")));
    let free = [name.to_owned()].into_iter().chain(numbers).find(|name| taken.insert(name.clone()));
    free.unwrap_or_default()
}

/// `[A-Za-z0-9_-]` only: MCP allows a dot, several models' interfaces do not. Of a long name the end
/// stays, where the function's own name is.
fn legal(name: &str) -> String {
    let keep = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    let mut name: String = name.chars().map(|char| if keep(char) { char } else { '_' }).collect();
    name.split_off(name.len().saturating_sub(NAME_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::{NAME_BYTES_MAX, Origin, names};

    #[track_caller]
    fn named(origins: &[(&str, &str)], expected: &[&str]) {
        let origin = |&(interface, function): &(&str, &str)| Origin {
            interface: (!interface.is_empty()).then(|| interface.to_owned()),
            function: function.to_owned(),
        };
        let origins: Vec<_> = origins.iter().map(origin).collect();
        assert_eq!(names(&origins), expected);
    }

    #[test]
    fn a_name_is_as_short_as_it_can_be() {
        named(&[("", "f"), ("a:b/c@1.0.0", "g")], &["f", "g"]);
        named(&[("", "f"), ("a:b/c@1.0.0", "f")], &["f", "c_f"]);
        named(&[("a:b/c@1.0.0", "f"), ("a:b/d@1.0.0", "f")], &["c_f", "d_f"]);
        named(
            &[("a:b/c@1.0.0", "f"), ("a:b/c@2.0.0", "f"), ("x", "f")],
            &["a_b_c_1_0_0_f", "a_b_c_2_0_0_f", "x_f"],
        );
    }

    #[test]
    fn a_name_that_is_given_is_not_given_again() {
        named(&[("", "c_f"), ("a:b/c", "f"), ("a:b/d", "f")], &["c_f", "a_b_c_f", "d_f"]);
    }

    #[test]
    fn other_characters_become_underscores() {
        named(&[("a:b/c", "[static]file.open")], &["file_open"]);
        named(&[("", "é.x")], &["__x"]);
    }

    #[test]
    fn what_differs_only_in_what_is_lost_is_numbered() {
        let long = "very-".repeat(40);
        let (one, two) = (format!("{long}one"), format!("{long}two"));
        let cut = |name: &str| name[name.len() - NAME_BYTES_MAX..].to_owned();
        named(&[("", &one), ("", &two)], &[&cut(&one), &cut(&two)]);
        let (early, late) = (format!("a{long}f"), format!("b{long}f"));
        let numbered = cut(&format!("{early}_2"));
        named(&[("", &early), ("", &late)], &[&cut(&early), &numbered]);
    }
}
