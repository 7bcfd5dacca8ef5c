use assent_consent::{
    Category,
    notice::{NoticeCategory, NoticeItem, NoticeService, Texts},
};
use leptos::prelude::*;

use crate::{
    document::web_address,
    icon::{self, Icon},
    page::CenterPage,
};

/// The form with the four categories. Save comes first in the document, so that Enter saves.
pub(crate) fn form(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let categories = page
        .categories
        .iter()
        .map(|category| card(category, page))
        .collect_view();
    view! {
        <form class="choices" method="post" action=page.action.to_owned()>
            {hidden(page)}
            {page.service_choice.then(|| view! { <input type="hidden" name=SHOWN value=ticked(page) /> })}
            {categories}
            <div class="actions">
                {decision("save", &texts.center_save)}
                {decision("accept", &texts.accept_all)}
                {decision("reject", &texts.reject_all)}
            </div>
        </form>
    }
    .into_any()
}

/// Withdrawing everything, apart from the switches: one press, as easy as consenting was.
pub(crate) fn withdraw(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    view! {
        <section class="card withdraw" aria-label=texts.center_withdraw.clone()>
            <p>{texts.center_withdraw_text.clone()}</p>
            <form method="post" action=page.action.to_owned()>
                {hidden(page)}
                <button class="button danger" name="do" value="withdraw">
                    {texts.center_withdraw.clone()}
                </button>
            </form>
        </section>
    }
    .into_any()
}

/// The form field with the names of the switches that were on when the page was shown, between spaces. Without a
/// script a category's switch cannot move those of its services; by this the server knows which of them were moved.
pub const SHOWN: &str = "shown";

/// The name of a service's switch.
pub fn field(service: &str) -> String {
    format!("service-{service}")
}

fn is_granted(page: &CenterPage<'_>, category: Category) -> bool {
    let granted = page
        .current
        .as_ref()
        .map_or(page.before_choice, |current| current.granted);
    granted.has(category)
}

/// Whether the service with this id is granted: as its category, or as the visitor has excepted it.
fn is_on(page: &CenterPage<'_>, category: Category, id: &str) -> bool {
    let current = page.current.as_ref();
    let excepted = current.and_then(|current| current.services.get(id).copied());
    excepted.unwrap_or_else(|| is_granted(page, category))
}

fn ticked(page: &CenterPage<'_>) -> String {
    let mut names = Vec::new();
    for category in page.categories {
        if is_granted(page, category.id) {
            names.push(category.id.id().to_owned());
        }
        let on = category
            .services
            .iter()
            .filter(|service| is_on(page, category.id, &service.id));
        names.extend(on.map(|service| field(&service.id)));
    }
    names.join(" ")
}

fn decision(value: &'static str, label: &str) -> impl IntoView + use<> {
    view! { <button class="button" name="do" value=value>{label.to_owned()}</button> }
}

fn hidden(page: &CenterPage<'_>) -> AnyView {
    page.hidden
        .iter()
        .map(|(name, value)| {
            view! { <input type="hidden" name=(*name).to_owned() value=value.clone() /> }
        })
        .collect_view()
        .into_any()
}

fn card(category: &NoticeCategory, page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let granted = is_granted(page, category.id);
    let id = category.id.id();
    let text_id = format!("{id}-text");
    let head = if category.id == Category::Necessary {
        view! {
            <h2>{category.label.clone()}</h2>
            <p class="always">{icon::draw(Icon::Check)}<span>{texts.always_active.clone()}</span></p>
        }
        .into_any()
    } else {
        view! {
            <h2><label for=id>{category.label.clone()}</label></h2>
            <input class="switch" type="checkbox" role="switch" id=id name=id value="on"
                checked=granted aria-describedby=text_id.clone() />
        }
        .into_any()
    };
    view! {
        <section class="card category">
            <div class="head">{head}</div>
            {partly(category, page)}
            <p id=text_id>{category.text.clone()}</p>
            {services(category, page)}
        </section>
    }
    .into_any()
}

/// How many of a category's services are allowed, where some are and some are not.
fn partly(category: &NoticeCategory, page: &CenterPage<'_>) -> Option<AnyView> {
    let all = category.services.len();
    let on = category
        .services
        .iter()
        .filter(|service| is_on(page, category.id, &service.id))
        .count();
    let text = page.texts.services_on.replace("{on}", &on.to_string());
    (on != if is_granted(page, category.id) { all } else { 0 })
        .then(|| view! { <p class="partly">{text.replace("{all}", &all.to_string())}</p> }.into_any())
}

fn services(category: &NoticeCategory, page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    if category.services.is_empty() {
        return view! { <p class="none">{texts.no_services.clone()}</p> }.into_any();
    }
    let count = category.services.len();
    let services = category
        .services
        .iter()
        .map(|entry| service(entry, category.id, page))
        .collect_view();
    view! {
        <details>
            <summary>
                {icon::draw(Icon::Chevron)}
                <span>{format!("{} ({count})", texts.services_heading)}</span>
                <span class="unseen">{format!(" – {}", category.label)}</span>
            </summary>
            <ul class="services">{services}</ul>
        </details>
    }
    .into_any()
}

fn service(service: &NoticeService, category: Category, page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let policy = web_address(&service.policy_url).map(|address| {
        view! {
            " · "
            <a href=address rel="noreferrer">
                {texts.provider_policy.clone()}
                <span class="unseen">{format!(" – {}", service.name)}</span>
            </a>
        }
    });
    let items = (!service.items.is_empty()).then(|| {
        let items = service
            .items
            .iter()
            .map(|entry| item(entry, texts))
            .collect_view();
        view! { <ul class="items">{items}</ul> }
    });
    let head = if page.service_choice && category != Category::Necessary {
        let field = field(&service.id);
        let checked = is_on(page, category, &service.id);
        view! {
            <div class="head">
                <h3><label for=field.clone()>{service.name.clone()}</label></h3>
                <input class="switch" type="checkbox" role="switch" id=field.clone() name=field value="on" checked=checked />
            </div>
        }
        .into_any()
    } else {
        view! { <h3>{service.name.clone()}</h3> }.into_any()
    };
    view! {
        <li>
            {head}
            <p class="by">
                {format!("{}: {}", texts.item_provider, service.provider)}
                {policy}
            </p>
            <p>{service.purpose.clone()}</p>
            {items}
        </li>
    }
    .into_any()
}

fn item(item: &NoticeItem, texts: &Texts) -> AnyView {
    view! {
        <li>
            <p class="name"><code>{item.name.clone()}</code></p>
            <dl>
                <div><dt>{texts.item_purpose.clone()}</dt><dd>{item.purpose.clone()}" "{item.note.clone()}</dd></div>
                <div><dt>{texts.item_lifetime.clone()}</dt><dd>{item.lifetime.clone()}</dd></div>
                <div><dt>{texts.item_kind.clone()}</dt><dd>{item.kind.clone()}</dd></div>
            </dl>
        </li>
    }
    .into_any()
}
