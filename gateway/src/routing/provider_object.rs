//! The `provider` object of a request: which endpoints it allows, and in which order it wants them.
//!
//! **A constraint that is not understood is refused, never ignored**: whoever forbids a provider or
//! demands a privacy rule must not be answered as if nothing had been said.

use std::collections::BTreeMap;

use schemas::PicoUsd;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::QUANTIZATIONS;
use super::preferences::{DataCollection, RoutingStrategy};
use crate::control::catalog::Channel;
use crate::http::error::ApiError;

/// Names in one list.
const NAMES_MAX: usize = 64;
/// Percentiles a wish may name.
const PERCENTILES: [&str; 4] = ["p50", "p75", "p90", "p99"];

/// Routing preferences of one request.
#[derive(Debug, Default, PartialEq)]
pub struct ProviderObject {
    pub only: Option<Vec<String>>,
    pub ignore: Vec<String>,
    pub order: Vec<String>,
    pub no_fallbacks: bool,
    pub require_parameters: bool,
    pub denies_data_collection: bool,
    pub zdr: bool,
    pub quantizations: Vec<String>,
    pub max_price: MaxPrice,
    pub sort: Option<Sort>,
    pub routing_strategy: Option<RoutingStrategy>,
    /// Tokens a second, by percentile.
    pub min_throughput: Wish,
    /// Milliseconds to the first token, by percentile.
    pub max_latency_ms: Wish,
}

/// A fixed order by one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    /// Over all models of the request at once, not model by model.
    pub across_models: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    Price,
    Throughput,
    Latency,
}

/// Dearer endpoints are not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxPrice {
    pub prompt: Option<PicoUsd>,
    pub completion: Option<PicoUsd>,
    pub request: Option<PicoUsd>,
    /// A price of an image, or of audio, is named: prices here are by token, so it can be kept to by requests without any only.
    pub names_image: bool,
    pub names_audio: bool,
}

/// What is wished for at p50, p75, p90, p99.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Wish([Option<f32>; 4]);

impl Wish {
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Each figure wished for, with the place of its percentile.
    pub fn figures(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.0.iter().enumerate().filter_map(|(place, figure)| Some((place, (*figure)?)))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    only: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    order: Option<Vec<String>>,
    allow_fallbacks: Option<bool>,
    require_parameters: Option<bool>,
    data_collection: Option<DataCollection>,
    zdr: Option<bool>,
    enforce_distillable_text: Option<bool>,
    quantizations: Option<Vec<String>>,
    max_price: Option<BTreeMap<String, Value>>,
    sort: Option<Value>,
    routing_strategy: Option<RoutingStrategy>,
    preferred_min_throughput: Option<Value>,
    preferred_max_latency: Option<Value>,
}

impl ProviderObject {
    /// Reads the object; absent, everything is allowed.
    pub fn read(raw: Option<&RawValue>) -> Result<Self, ApiError> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let written: Written = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(raw.get())).map_err(|error| {
            let path = error.path().to_string();
            let param = if path == "." { "provider".to_owned() } else { format!("provider.{path}") };
            let message = format!("{param} is not valid: {}", error.inner());
            ApiError::bad_request(param, message)
        })?;
        if written.enforce_distillable_text == Some(true) {
            let message =
                "provider.enforce_distillable_text cannot be guaranteed by this gateway, so the request is refused instead of ignoring it.";
            return Err(ApiError::bad_request("provider.enforce_distillable_text", message));
        }
        let quantizations = bounded("provider.quantizations", written.quantizations)?.unwrap_or_default();
        if let Some(unknown) = quantizations.iter().find(|word| !QUANTIZATIONS.contains(&word.as_str())) {
            let message = format!("provider.quantizations has `{unknown}`; it may have {}", QUANTIZATIONS.join(", "));
            return Err(ApiError::bad_request("provider.quantizations", message));
        }
        Ok(Self {
            only: bounded("provider.only", written.only)?.filter(|names| !names.is_empty()),
            ignore: bounded("provider.ignore", written.ignore)?.unwrap_or_default(),
            order: bounded("provider.order", written.order)?.unwrap_or_default(),
            no_fallbacks: written.allow_fallbacks == Some(false),
            require_parameters: written.require_parameters == Some(true),
            denies_data_collection: written.data_collection == Some(DataCollection::Deny),
            zdr: written.zdr == Some(true),
            quantizations,
            max_price: MaxPrice::read(written.max_price.as_ref())?,
            sort: Sort::read(written.sort.as_ref())?,
            routing_strategy: written.routing_strategy,
            min_throughput: read_wish("provider.preferred_min_throughput", written.preferred_min_throughput.as_ref(), 1.0)?,
            max_latency_ms: read_wish("provider.preferred_max_latency", written.preferred_max_latency.as_ref(), 1_000.0)?,
        })
    }

    pub fn only_allows(&self, channel: &Channel) -> bool {
        self.only.as_deref().is_none_or(|names| is_named(names, channel))
    }

    pub fn ignores(&self, channel: &Channel) -> bool {
        is_named(&self.ignore, channel)
    }

    /// The channel's place in the wanted order, if it has one.
    pub fn place(&self, channel: &Channel) -> Option<usize> {
        self.order.iter().position(|name| names_channel(name, channel))
    }

    /// Whether an order was given: it then replaces the choice by strategy.
    pub fn is_ordered(&self) -> bool {
        !self.order.is_empty()
    }
}

impl Sort {
    fn read(written: Option<&Value>) -> Result<Option<Self>, ApiError> {
        let refused = |message: String| Err(ApiError::bad_request("provider.sort", message));
        let (by, partition) = match written {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(by)) => (by.as_str(), "model"),
            Some(Value::Object(members)) => {
                let text = |name: &str, default| members.get(name).map_or(Some(default), Value::as_str);
                match (text("by", ""), text("partition", "model")) {
                    (Some(by), Some(partition)) => (by, partition),
                    _ => return refused("provider.sort.by and provider.sort.partition must be strings".to_owned()),
                }
            }
            Some(_) => return refused("provider.sort must be a string or an object with `by`".to_owned()),
        };
        let across_models = match partition {
            "model" => false,
            "none" => true,
            other => return refused(format!("provider.sort.partition is `{other}`; it may be model or none")),
        };
        let by = match by {
            "price" => SortBy::Price,
            "throughput" => SortBy::Throughput,
            "latency" => SortBy::Latency,
            // Quality is not measured here: the usual choice. So it is without a word.
            "exacto" | "" => return Ok(None),
            other => return refused(format!("provider.sort is `{other}`; it may be price, throughput, latency or exacto")),
        };
        Ok(Some(Self { by, across_models }))
    }
}

impl MaxPrice {
    fn read(written: Option<&BTreeMap<String, Value>>) -> Result<Self, ApiError> {
        let mut read = Self::default();
        for (name, value) in written.into_iter().flatten() {
            let param = format!("provider.max_price.{name}");
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(ApiError::bad_request(param.clone(), format!("{param} must be a number or a decimal string"))),
            };
            let (cell, price) = match name.as_str() {
                "image" => {
                    read.names_image = true;
                    continue;
                }
                "audio" => {
                    read.names_audio = true;
                    continue;
                }
                "prompt" => (&mut read.prompt, PicoUsd::parse_per_million(&text)),
                "completion" => (&mut read.completion, PicoUsd::parse_per_million(&text)),
                "request" => (&mut read.request, PicoUsd::parse_per_unit(&text)),
                _ => {
                    let message =
                        format!("{param} cannot be guaranteed by this gateway; it keeps to prompt, completion, request, image and audio");
                    return Err(ApiError::bad_request(param, message));
                }
            };
            *cell = Some(price.map_err(|error| ApiError::bad_request(param.clone(), format!("{param}: {error}")))?);
        }
        Ok(read)
    }

    /// Refuses what cannot be kept to, once it is known what the request is made of.
    pub fn check_media(&self, has_images: bool, has_audio: bool) -> Result<(), ApiError> {
        for (name, is_named) in [("image", self.names_image && has_images), ("audio", self.names_audio && has_audio)] {
            if is_named {
                let param = format!("provider.max_price.{name}");
                let message =
                    format!("{param} cannot be guaranteed by this gateway for a request with {name} input: prices are by token here");
                return Err(ApiError::bad_request(param, message));
            }
        }
        Ok(())
    }

    pub const fn is_empty(&self) -> bool {
        self.prompt.is_none() && self.completion.is_none() && self.request.is_none()
    }
}

/// A number (of the median) or one for each percentile, times `scale`.
fn read_wish(param: &'static str, written: Option<&Value>, scale: f32) -> Result<Wish, ApiError> {
    let refused = || ApiError::bad_request(param, format!("{param} must be a positive number, or an object of them by p50, p75, p90, p99"));
    let number = |value: &Value| value.as_f64().filter(|number| *number > 0.0).map(|number| number as f32 * scale).ok_or_else(refused);
    let mut wish = Wish::default();
    match written {
        None | Some(Value::Null) => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                let place = PERCENTILES.iter().position(|known| known == name).ok_or_else(refused)?;
                wish.0[place] = Some(number(value)?);
            }
        }
        Some(value) => wish.0[0] = Some(number(value)?),
    }
    Ok(wish)
}

fn bounded(param: &'static str, names: Option<Vec<String>>) -> Result<Option<Vec<String>>, ApiError> {
    match names {
        Some(names) if names.len() > NAMES_MAX => {
            Err(ApiError::bad_request(param, format!("{param} has {} names; at most {NAMES_MAX} are read", names.len())))
        }
        names => Ok(names),
    }
}

fn is_named(names: &[String], channel: &Channel) -> bool {
    names.iter().any(|name| names_channel(name, channel))
}

/// A provider's slug or display name, or a channel's own name; in any case. `slug/channel` names one channel.
fn names_channel(name: &str, channel: &Channel) -> bool {
    let of_provider = [&*channel.provider_slug, &*channel.provider_name, &*channel.name];
    of_provider.iter().any(|known| known.eq_ignore_ascii_case(name)) || names_exactly(name, &channel.provider_slug, &channel.name)
}

/// Whether a name is `slug/tag`. Lengths are compared first: nearly always that is the end of it.
fn names_exactly(name: &str, slug: &str, tag: &str) -> bool {
    name.len() == slug.len() + 1 + tag.len()
        && name.as_bytes()[slug.len()] == b'/'
        && name.as_bytes()[..slug.len()].eq_ignore_ascii_case(slug.as_bytes())
        && name.as_bytes()[slug.len() + 1..].eq_ignore_ascii_case(tag.as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ProviderObject, ApiError> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        ProviderObject::read(Some(&raw))
    }

    #[test]
    fn every_member_is_read() {
        let object = read(
            r#"{"only":["a"],"ignore":["b"],"order":["c"],"allow_fallbacks":false,"require_parameters":true,"data_collection":"deny",
                "zdr":true,"quantizations":["fp8"],"sort":{"by":"price","partition":"none"},"max_price":{"prompt":1,"completion":"2.5"},
                "preferred_min_throughput":{"p90":50},"preferred_max_latency":1.5,"routing_strategy":"lowest_cost"}"#,
        )
        .unwrap();
        assert!(object.no_fallbacks && object.require_parameters && object.denies_data_collection && object.zdr);
        assert_eq!(object.sort, Some(Sort { by: SortBy::Price, across_models: true }));
        assert_eq!(object.max_price.prompt.map(PicoUsd::picos), Some(1_000_000));
        assert_eq!(object.max_price.completion.map(PicoUsd::picos), Some(2_500_000));
        assert_eq!(object.min_throughput.figures().collect::<Vec<_>>(), [(2, 50.0)]);
        assert_eq!(object.max_latency_ms.figures().collect::<Vec<_>>(), [(0, 1_500.0)]);
        assert_eq!(object.routing_strategy, Some(RoutingStrategy::LowestCost));
        assert_eq!(read(r#"{"sort":"exacto","only":null,"unknown":1}"#).unwrap(), ProviderObject::default());
    }

    #[test]
    fn what_is_wrong_is_refused_and_named() {
        for (json, param) in [
            (r#"{"only":"x"}"#, "provider.only"),
            (r#"{"only":[1]}"#, "provider.only[0]"),
            (r#"{"allow_fallbacks":"no"}"#, "provider.allow_fallbacks"),
            (r#"{"data_collection":"never"}"#, "provider.data_collection"),
            (r#"{"quantizations":["fp7"]}"#, "provider.quantizations"),
            (r#"{"sort":"cheap"}"#, "provider.sort"),
            (r#"{"sort":{"by":"price","partition":"all"}}"#, "provider.sort"),
            (r#"{"max_price":{"prompt":[]}}"#, "provider.max_price.prompt"),
            (r#"{"max_price":{"prompt":"-1"}}"#, "provider.max_price.prompt"),
            (r#"{"max_price":{"video":1}}"#, "provider.max_price.video"),
            (r#"{"preferred_max_latency":{"p10":1}}"#, "provider.preferred_max_latency"),
            (r#"{"preferred_min_throughput":-3}"#, "provider.preferred_min_throughput"),
            (r#"{"enforce_distillable_text":true}"#, "provider.enforce_distillable_text"),
            (r#"{"routing_strategy":"best"}"#, "provider.routing_strategy"),
        ] {
            let error = read(json).unwrap_err();
            assert_eq!(error.status(), 400, "{json}");
            assert!(error.error_json().contains(&format!("\"param\":\"{param}\"")), "{json}: {}", error.error_json());
        }
    }
}
