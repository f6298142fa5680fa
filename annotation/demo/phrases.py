"""The words of the demo's grammar: twelve intents of a made-up shop, and the sentences that could mean two of them.

Written for Gyre; no customer ever sent these. `{name}` is filled from `SLOTS`.
"""

from __future__ import annotations

SLOTS: dict[str, tuple[str, ...]] = {
    "thing": (
        "kettle", "desk lamp", "rucksack", "coffee grinder", "rain jacket", "bike light", "headset", "office chair",
        "toaster", "yoga mat", "winter coat", "water bottle", "blender", "tent", "keyboard", "baby monitor",
        "picture frame", "duvet", "frying pan", "running watch",
    ),
    "order": ("order 4417", "order 90213", "my order", "the order from Sunday", "order no. 5580", "last week's order",
              "order 31-207", "my latest order"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "yesterday", "last week"),
    "span": ("three days", "a week", "ten days", "two weeks", "five working days", "almost a month"),
    "money": ("12.50", "39.99", "84", "7.20", "129", "23.45", "56", "210"),
    "card": ("credit card", "debit card", "bank card", "prepaid card", "gift card"),
    "code": ("SPRING10", "WELCOME", "FRIENDS15", "the birthday code", "my voucher", "the code from your newsletter"),
    "place": ("my office", "my sister's flat", "a new house", "the hotel", "my neighbour", "the shop round the corner",
              "a parcel locker"),
    "flaw": ("cracked", "scratched", "bent", "leaking", "in two pieces", "stained", "without its lid", "dead on arrival"),
    "fact": ("waterproof", "dishwasher safe", "quieter than the old one", "sold in green", "made of steel",
             "good for small hands", "covered by a warranty", "heavy"),
}

OPENERS: tuple[str, ...] = (
    "", "", "", "", "Hi, ", "Hello, ", "Hello there, ", "Good morning, ", "Sorry to bother you, ", "Quick question: ",
    "Dear team, ", "Hey, ",
)
CLOSERS: tuple[str, ...] = (
    "", "", "", "", "", " Thanks!", " Please help.", " Thank you in advance.", " Can someone look into it?",
    " Cheers", " I would be glad of an answer today.",
)

# intent -> (name, Chinese name, share of all messages, frames)
INTENTS: dict[str, tuple[str, str, float, tuple[str, ...]]] = {
    "order_status": ("Order status", "订单状态", 0.13, (
        "where is {order}?", "has {order} been sent yet?", "can you tell me how far {order} has got?",
        "I would like to follow {order}, is there a tracking number?", "when will the {thing} arrive?",
        "the page says 'processing' for {order}, what does that mean?", "is the {thing} on its way?",
        "what is the state of {order}?", "I ordered a {thing} on {day}, any news?",
    )),
    "late_delivery": ("Late delivery", "配送延误", 0.10, (
        "the {thing} was promised for {day} and still is not here", "{order} is {span} late",
        "I have been waiting for {span} and nothing came", "your courier did not turn up on {day}",
        "the parcel should have been here on {day}, this is too slow", "why does delivery of a {thing} take {span}?",
        "tracking has not moved for {span}", "the driver says he rang, but nobody came on {day}",
    )),
    "return_item": ("Return or exchange", "退换货", 0.10, (
        "how do I send the {thing} back?", "the {thing} does not suit me, can I return it?",
        "I want to swap the {thing} for another size", "where do I find the return label for {order}?",
        "can I bring the {thing} back to a shop?", "how many days do I have to return a {thing}?",
        "please exchange the {thing}, I took the wrong colour", "I changed my mind about the {thing} and want to give it back",
    )),
    "refund": ("Refund", "退款", 0.10, (
        "I returned the {thing} {span} ago, where is my refund?", "when do I get my {money} back?",
        "you still owe me {money} for {order}", "the refund for the {thing} has not reached my account",
        "how long does a refund to a {card} take?", "my refund is {money} short",
        "I was told the money would be back by {day}", "can the refund go to another {card}?",
    )),
    "cancel_order": ("Cancel an order", "取消订单", 0.08, (
        "please cancel {order}", "I ordered the {thing} by mistake, stop it please", "is it too late to cancel {order}?",
        "I do not need the {thing} any more, take it off {order}", "how can I cancel something I bought on {day}?",
        "the cancel button for {order} is greyed out", "cancel the {thing} but keep the rest of {order}",
    )),
    "change_address": ("Change the address", "修改地址", 0.07, (
        "can {order} go to {place} instead?", "I moved, please send the {thing} to {place}",
        "the address on {order} is wrong", "I typed the wrong street for {order}",
        "how do I change where {order} is delivered?", "please redirect the parcel to {place}",
        "my postcode in {order} has a wrong digit",
    )),
    "payment_failed": ("Payment failed", "支付失败", 0.08, (
        "my {card} is declined at the checkout", "paying for the {thing} ends with an error",
        "I cannot pay with my {card}", "the payment page hangs after I enter my {card}",
        "it says payment not authorised, but there is money on my {card}", "tried three times to pay {money}, no luck",
        "checkout throws me back to the basket when I pay",
    )),
    "charged_twice": ("Charged twice", "重复扣款", 0.07, (
        "you took {money} twice for {order}", "I see two payments of {money} on my {card}",
        "why was my {card} charged two times?", "there is a double booking for the {thing}",
        "the same {money} left my account on {day} and again today", "one {thing} ordered, two payments taken",
    )),
    "discount_code": ("Discount code", "优惠码", 0.08, (
        "{code} does not work", "where do I type {code}?", "I forgot to use {code} for {order}",
        "the basket says {code} has run out", "can I use {code} together with the sale?",
        "is there a discount for a second {thing}?", "{code} took nothing off the {thing}",
    )),
    "product_question": ("Product question", "商品咨询", 0.08, (
        "is the {thing} {fact}?", "do you have the {thing} in a larger size?", "what comes in the box with the {thing}?",
        "will the {thing} be back in stock?", "which {thing} would you pick for daily use?", "is your {thing} {fact}, or only the dearer one?",
        "how long does the battery of the {thing} last?",
    )),
    "damaged_item": ("Damaged item", "商品损坏", 0.07, (
        "the {thing} arrived {flaw}", "the box was open and the {thing} {flaw}", "my new {thing} is {flaw}",
        "out of the parcel came a {thing} that is {flaw}", "the {thing} broke on the first day",
        "the {thing} from {order} is {flaw}, I have photos", "the {thing} does not switch on",
    )),
    "account_access": ("Account access", "账户登录", 0.04, (
        "I cannot log in", "the reset mail for my password never comes", "my account is locked",
        "please change the mail address of my account", "I forgot which address I signed up with",
        "the code you text me is not accepted", "how do I delete my account?",
    )),
}

# What a careful reader could file under either of two intents. People differ here, and they are right to.
AMBIGUOUS: tuple[tuple[tuple[str, str], tuple[str, ...]], ...] = (
    (("order_status", "late_delivery"), (
        "still no sign of {order}", "I expected the {thing} on {day}, where is it?", "{order} was due on {day}, any news?",
    )),
    (("return_item", "refund"), (
        "I want my money back for the {thing}", "the {thing} goes back, please pay me {money}",
        "how do I give back the {thing} and get the {money}?",
    )),
    (("damaged_item", "return_item"), (
        "the {thing} is {flaw} and I want to send it back", "I need another {thing}, this one is {flaw}",
    )),
    (("payment_failed", "charged_twice"), (
        "the payment failed but {money} left my {card}", "error at the checkout, paid again, now {money} is gone",
    )),
    (("cancel_order", "refund"), (
        "I cancelled {order} and want the {money}", "stop {order} and pay me back",
    )),
    (("cancel_order", "change_address"), (
        "{order} must not go to the old address, stop it",
    )),
    (("discount_code", "payment_failed"), (
        "the checkout stops when I enter {code}",
    )),
)
