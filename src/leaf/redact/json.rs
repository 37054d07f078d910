//! Redacts well-formed JSON by its structure; the strings in it as texts of their own, since they may hold JSON again.

use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::keys::{self, Rank};
use super::{MASK, pass, value};

/// The text without its secrets, or `None` where it is no JSON object, list or string.
pub(super) fn redact(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let node: Node = serde_json::from_str(text).ok()?;
    Some(node.redacted().to_string())
}

/// JSON with the order and the doubles of its keys kept.
enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn redacted(self) -> Node {
        match self {
            Node::Text(text) => Node::Text(pass(&text)),
            Node::List(list) => Node::List(list.into_iter().map(Node::redacted).collect()),
            Node::Object(fields) => {
                let beside = rank_beside(&fields);
                let fields = fields.into_iter().map(|(name, node)| {
                    let rank = match keys::rank(&name) {
                        Rank::Plain if keys::is_value(&name) => beside,
                        rank => rank,
                    };
                    let node = node.redacted_as(rank);
                    (pass(&name), node)
                });
                Node::Object(fields.collect())
            }
            other => other,
        }
    }

    fn redacted_as(self, rank: Rank) -> Node {
        match (rank, self) {
            (Rank::Plain, node) => node.redacted(),
            (_, node @ (Node::Null | Node::Bool(_))) => node,
            (Rank::Perhaps, node @ (Node::Number(_) | Node::List(_) | Node::Object(_))) => {
                node.redacted()
            }
            (Rank::ClientId, Node::List(list)) => {
                let list = list.into_iter().map(|node| node.redacted_as(rank));
                Node::List(list.collect())
            }
            (_, Node::Text(text)) => match value::stand_in(rank, &text) {
                Some(stand_in) => Node::Text(stand_in),
                None => Node::Text(pass(&text)),
            },
            _ => Node::Text(MASK.to_owned()),
        }
    }
}

/// What `value` is in `{"name": "Authorization", "value": …}`.
fn rank_beside(fields: &[(String, Node)]) -> Rank {
    let ranks = fields.iter().filter_map(|(name, node)| match node {
        Node::Text(text) if keys::is_name(name) => Some(keys::rank(text)),
        _ => None,
    });
    ranks
        .into_iter()
        .find(|rank| *rank != Rank::Plain)
        .unwrap_or(Rank::Plain)
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("null"),
            Node::Bool(value) => write!(f, "{value}"),
            Node::Number(number) => write!(f, "{number}"),
            Node::Text(text) => write_text(f, text),
            Node::List(list) => {
                f.write_char('[')?;
                for (at, node) in list.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{node}")?;
                }
                f.write_char(']')
            }
            Node::Object(fields) => {
                f.write_char('{')?;
                for (at, (name, node)) in fields.iter().enumerate() {
                    f.write_str(if at > 0 { "," } else { "" })?;
                    write_text(f, name)?;
                    write!(f, ":{node}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(serde_json::Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }
}
