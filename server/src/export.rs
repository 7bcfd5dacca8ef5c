//! A consent record in the forms that others define: the Kantara Consent Receipt 1.1, and ISO/IEC TS 27560 as the Data
//! Privacy Vocabulary (DPV) writes it in JSON-LD. docs/records.md says what becomes of each field; the schemas in
//! docs/schemas are what both are tested with.

use assent_consent::{
    Categories, Category,
    notice::{Notice, NoticeCategory, NoticeService},
    record::{ConsentRecord, Event, Method},
    site::{Contact, LegalBasis},
};
use serde_json::{Value, json};

use crate::clock::rfc3339;

/// What an export is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exported<'a> {
    /// The record.
    pub(crate) record: &'a ConsentRecord,
    /// What was shown.
    pub(crate) notice: &'a Notice,
    /// The record that it replaced, where that is still there.
    pub(crate) previous: Option<&'a ConsentRecord>,
    /// How the controller is reached now.
    pub(crate) contact: Option<&'a Contact>,
    /// The server's origin.
    pub(crate) origin: &'a str,
    /// Now: an export states what has expired.
    pub(crate) now_ms: i64,
}

/// What became of one category or service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Given,
    Renewed,
    Refused,
    Withdrawn,
    Expired,
}

impl Exported<'_> {
    fn notice_address(&self) -> String {
        format!(
            "{}/v1/sites/{}/notices/{}",
            self.origin, self.record.site, self.record.notice
        )
    }

    fn center(&self) -> String {
        format!("{}/c/{}", self.origin, self.record.site)
    }

    /// The state of a category, or of one of its services.
    fn state(&self, category: Category, service: Option<&str>) -> State {
        let record = self.record;
        if allows(record, category, service) {
            return match record.event {
                _ if self.now_ms >= record.expires_at_ms => State::Expired,
                Event::Renewed => State::Renewed,
                _ => State::Given,
            };
        }
        let is_taken_back = match self.previous {
            Some(previous) => {
                allows(previous, category, service) && previous.expires_at_ms > record.decided_at_ms
            }
            None => record.event == Event::Withdrawn,
        };
        if is_taken_back {
            State::Withdrawn
        } else {
            State::Refused
        }
    }

    fn jurisdictions(&self) -> impl Iterator<Item = &str> {
        self.notice.regions.iter().map(String::as_str)
    }
}

fn allows(record: &ConsentRecord, category: Category, service: Option<&str>) -> bool {
    let exception = service.and_then(|id| record.services.get(id));
    exception
        .copied()
        .unwrap_or_else(|| Categories::from(record.choice).has(category))
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Banner => "Buttons of the consent banner on the website",
        Method::Dialog => "Settings dialog on the website",
        Method::Center => "Form of the privacy center",
        Method::Api => "The website's own control",
        Method::Embed => "Button in place of embedded content on the website",
    }
}

/// The optional categories with their services; a category that declares none stands for itself.
fn optional(notice: &Notice) -> impl Iterator<Item = (&NoticeCategory, Option<&NoticeService>)> {
    let categories = notice.categories.iter();
    categories
        .filter(|category| category.id != Category::Necessary)
        .flat_map(|category| {
            let whole = category.services.is_empty().then_some((category, None));
            let services = category
                .services
                .iter()
                .map(move |service| (category, Some(service)));
            whole.into_iter().chain(services)
        })
}

/// A Kantara Consent Receipt, version 1.1.0. It lists what was consented to: for a refusal, nothing. `None` without a
/// contact, which the format demands.
pub(crate) fn kantara(of: &Exported<'_>, public_key: &str) -> Option<Value> {
    let Exported {
        record,
        notice,
        contact,
        ..
    } = of;
    let contact = (*contact)?;
    let services: Vec<_> = optional(notice)
        .filter(|(category, service)| allows(record, category.id, service.map(|service| service.id.as_str())))
        .map(|(category, service)| {
            let (name, purpose, provider) = service.map_or(
                (&category.label, &category.text, &notice.controller),
                |service| (&service.name, &service.purpose, &service.provider),
            );
            let mut purpose = json!({
                "purpose": purpose,
                "purposeCategory": [kantara_purpose(category.id)],
                "consentType": "EXPLICIT",
                "piiCategory": ["5 - Network/Service"],
                "primaryPurpose": false,
                "termination": format!("{}, or earlier by withdrawal at {}", rfc3339(record.expires_at_ms), of.center()),
                "thirdPartyDisclosure": *provider != notice.controller,
            });
            if *provider != notice.controller {
                purpose["thirdPartyName"] = provider.as_str().into();
            }
            json!({ "service": name, "purposes": [purpose] })
        })
        .collect();
    let jurisdiction = of
        .jurisdictions()
        .map(|region| if region == "*" { "worldwide" } else { region })
        .collect::<Vec<_>>()
        .join(", ");
    Some(json!({
        "version": "KI-CR-v1.1.0",
        "jurisdiction": jurisdiction,
        "consentTimestamp": record.decided_at_ms.div_euclid(1_000),
        "collectionMethod": method(record.method),
        "consentReceiptID": record.id,
        "publicKey": public_key,
        "language": record.language,
        "piiPrincipalId": record.subject,
        "piiControllers": [{
            "piiController": notice.controller,
            "onBehalf": false,
            "contact": contact.name,
            "address": { "streetAddress": contact.address, "addressCountry": contact.country },
            "email": contact.email,
            "phone": contact.phone,
        }],
        "policyUrl": notice.policy_url,
        "services": services,
        "sensitive": false,
        "spiCat": [],
    }))
}

/// Of the specification's list of purposes.
const fn kantara_purpose(category: Category) -> &'static str {
    match category {
        Category::Necessary => "1 - Core Function",
        Category::Performance => "16 - Improve Performance",
        Category::Functional => "5 - Personalize Experience",
        Category::Targeting => "6 - Marketing",
    }
}

/// A consent record after ISO/IEC TS 27560:2023 in JSON-LD, with the terms of DPV 2. It lists what was refused too.
pub(crate) fn dpv(of: &Exported<'_>) -> Value {
    let Exported {
        record,
        notice,
        contact,
        ..
    } = of;
    let mut controller = json!({
        "@id": format!("{}#controller", of.notice_address()),
        "@type": "dpv:DataController",
        "dpv:hasName": notice.controller,
    });
    if let Some(contact) = contact {
        controller["dpv:hasAddress"] = format!("{}, {}", contact.address, contact.country).into();
        controller["dpv:hasContact"] =
            format!("{}, {}, {}", contact.name, contact.email, contact.phone).into();
    }
    let processes: Vec<_> = notice
        .categories
        .iter()
        .map(|category| process(of, category))
        .collect();
    let mut exported = json!({
        "@context": context(),
        "@id": format!("urn:uuid:{}", record.id),
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": "https://w3id.org/dpv/schema/dpv-27560#record",
        "dct:identifier": record.id,
        "dct:created": rfc3339(record.received_at_ms),
        "dct:language": record.language,
        "dct:valid": rfc3339(record.expires_at_ms),
        "dpv:hasDataSubject": {
            "@id": format!("urn:assent:subject:{}", hex::encode(record.subject.0)),
            "@type": "dpv:DataSubject",
            "dct:identifier": record.subject,
        },
        "dpv:hasDataController": controller,
        "dpv:hasJurisdiction": of
            .jurisdictions()
            .map(|region| match region {
                "*" => json!({ "@type": "dpv:Location", "skos:prefLabel": "Worldwide" }),
                code => format!("loc:{code}").into(),
            })
            .collect::<Vec<_>>(),
        "dpv:hasNotice": {
            "@id": of.notice_address(),
            "@type": "dpv:ConsentNotice",
            "dct:identifier": record.notice,
            "dct:hasVersion": record.revision.to_string(),
            "dct:language": record.language,
            "schema:url": format!("{}/replay", of.notice_address()),
        },
        "dpv:hasConsentStatus": status(of, record_state(of)),
        "dpv:hasProcess": processes,
        "dpv:hasRight": [{
            "@type": "dpv:DataSubjectRight",
            "dct:title": "Withdraw consent, see, take along and erase what is stored",
            "dpv:isExercisedAt": of.center(),
        }],
        "assent:event": record.event.id(),
        "assent:rule": record.rule,
        "assent:asked": record.asked,
        "assent:globalPrivacyControl": record.gpc,
        "assent:doNotTrack": record.dnt,
    });
    if let Some(previous) = record.previous {
        exported["dct:replaces"] = format!("urn:uuid:{previous}").into();
    }
    exported
}

/// The names' meaning, and which of them name things rather than texts.
fn context() -> Value {
    let id = || json!({ "@type": "@id" });
    let time = || json!({ "@type": "xsd:dateTime" });
    json!({
        "assent": "urn:assent:",
        "dct": "http://purl.org/dc/terms/",
        "dpv": "https://w3id.org/dpv#",
        "loc": "https://w3id.org/dpv/loc#",
        "schema": "https://schema.org/",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dct:conformsTo": id(),
        "dct:created": time(),
        "dct:replaces": id(),
        "dct:valid": time(),
        "dpv:hasJurisdiction": id(),
        "dpv:hasLegalBasis": id(),
        "dpv:isExercisedAt": id(),
        "dpv:isIndicatedAtTime": time(),
        "dpv:isIndicatedBy": id(),
        "schema:url": id(),
        "skos:broader": id(),
    })
}

/// The state of the record as a whole.
fn record_state(of: &Exported<'_>) -> State {
    let record = of.record;
    match record.event {
        Event::Refused => State::Refused,
        Event::Withdrawn => State::Withdrawn,
        _ if of.now_ms >= record.expires_at_ms => State::Expired,
        Event::Renewed => State::Renewed,
        Event::Given | Event::Changed => State::Given,
    }
}

fn status(of: &Exported<'_>, state: State) -> Value {
    let record = of.record;
    let name = match state {
        State::Given => "dpv:ConsentGiven",
        State::Renewed => "dpv:RenewedConsentGiven",
        State::Refused => "dpv:ConsentRefused",
        State::Withdrawn => "dpv:ConsentWithdrawn",
        State::Expired => "dpv:ConsentExpired",
    };
    // Whatever the state, a person has expressed it; what a browser does by itself makes no record.
    let at_ms = if state == State::Expired {
        record.expires_at_ms
    } else {
        record.decided_at_ms
    };
    json!({
        "@type": [name, "dpv:ExpressedConsent"],
        "dpv:isIndicatedAtTime": rfc3339(at_ms),
        "dpv:isIndicatedBy": format!("urn:assent:subject:{}", hex::encode(record.subject.0)),
        "dpv:hasIndicationMethod": method(record.method),
    })
}

/// A category: what it is for and what it rests on, with a process for each of its services.
fn process(of: &Exported<'_>, category: &NoticeCategory) -> Value {
    let broader = match category.id {
        Category::Necessary => "dpv:ServiceProvision",
        Category::Performance => "dpv:ServiceUsageAnalytics",
        Category::Functional => "dpv:ServicePersonalisation",
        Category::Targeting => "dpv:TargetedAdvertising",
    };
    let asked = |service: Option<&str>| {
        (category.id != Category::Necessary).then(|| status(of, of.state(category.id, service)))
    };
    let mut process = json!({
        "@type": "dpv:Process",
        "dct:identifier": category.id.id(),
        "dpv:hasLegalBasis": legal_basis(category.legal_basis),
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "skos:broader": broader,
            "skos:prefLabel": category.label,
            "skos:definition": category.text,
        },
    });
    let services: Vec<_> = category
        .services
        .iter()
        .map(|service| {
            let mut process = of_service(of, service);
            if let Some(status) = asked(Some(&service.id)) {
                process["dpv:hasConsentStatus"] = status;
            }
            process
        })
        .collect();
    // Either the whole has a status or its parts have.
    if !services.is_empty() {
        process["dpv:hasProcess"] = services.into();
    } else if let Some(status) = asked(None) {
        process["dpv:hasConsentStatus"] = status;
    }
    process
}

fn of_service(of: &Exported<'_>, service: &NoticeService) -> Value {
    let data: Vec<_> = service
        .items
        .iter()
        .map(|item| {
            json!({
                "@type": "dpv:PersonalData",
                "skos:prefLabel": format!("{} ({})", item.name, item.kind),
                "skos:definition": item.purpose,
                "dpv:hasStorageCondition": { "@type": "dpv:StorageDuration", "dct:description": item.lifetime },
            })
        })
        .collect();
    let mut recipient = json!({
        "@type": if service.provider == of.notice.controller { "dpv:DataController" } else { "dpv:ThirdParty" },
        "dpv:hasName": service.provider,
    });
    if !service.policy_url.is_empty() {
        recipient["schema:url"] = service.policy_url.as_str().into();
    }
    json!({
        "@type": "dpv:Process",
        "dct:identifier": service.id,
        "dct:title": service.name,
        "dct:description": service.purpose,
        "dpv:hasLegalBasis": legal_basis(service.legal_basis),
        "dpv:hasRecipient": recipient,
        "dpv:hasPersonalData": data,
    })
}

/// A term where there is one. What is strictly necessary rests on the exception from consent, which DPV has no term for.
fn legal_basis(basis: LegalBasis) -> Value {
    match basis {
        LegalBasis::Consent => "dpv:Consent".into(),
        LegalBasis::LegitimateInterest => "dpv:LegitimateInterest".into(),
        LegalBasis::Contract => "dpv:Contract".into(),
        LegalBasis::LegalObligation => "dpv:LegalObligation".into(),
        LegalBasis::Necessary => json!({
            "@type": "dpv:LegalBasis",
            "skos:prefLabel": "Strictly necessary for what the visitor asked for",
        }),
    }
}
