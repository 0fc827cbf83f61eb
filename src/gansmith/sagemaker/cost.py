"""What a job will cost at most, by AWS's own list of prices."""

from __future__ import annotations

import json
from typing import Any

from gansmith.errors import GansmithError
from gansmith.sagemaker.aws import client, explained
from gansmith.sagemaker.request import Wanted

LIST_REGION = "us-east-1"  # where the list is kept, of all regions


def hourly_price(instance_type: str, region: str) -> float | None:
    """Dollars an hour of a training instance on demand; None where the list can't be asked."""
    filters = {"instanceName": instance_type, "regionCode": region, "component": "Training"}
    asked = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in filters.items()]
    try:
        with explained("asking for prices"):
            found = client("pricing", LIST_REGION).get_products(
                ServiceCode="AmazonSageMaker", Filters=asked, MaxResults=10
            )
        prices = [price for entry in found["PriceList"] for price in _prices(json.loads(entry))]
    except (GansmithError, KeyError, TypeError, ValueError):
        return None  # no reason to refuse a job
    return min((price for price in prices if price > 0), default=None)


def estimate(wanted: Wanted, hourly: float | None) -> str:
    """A sentence for whoever pays."""
    hours = wanted.max_run / 3600
    machines = f"{wanted.instances} × {wanted.instance_type}, {hours:.2g} h at most"
    if hourly is None:
        return f"{machines}; the price is not known here: aws.amazon.com/sagemaker/pricing"
    most = f"{machines} at ${hourly:.4g} an hour: at most ${hourly * hours * wanted.instances:.2f}"
    return f"{most} on demand; a spot machine costs less" if wanted.spot else most


def _prices(entry: Any) -> list[float]:
    terms = entry["terms"]["OnDemand"].values()
    sides = (side for term in terms for side in term["priceDimensions"].values())
    return [float(side["pricePerUnit"]["USD"]) for side in sides]
