import { Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { Problem } from "../api";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button, IconButton } from "../ui/Button";
import { Card } from "../ui/Card";
import { SongPicker, type Source } from "../work/SongPicker";
import { ParamField } from "./ParamField";
import { firstValues, paramsOf, type Recipe, wrong } from "./params";
import styles from "./Recipes.module.css";
import { t } from "./strings";
import { newKey, useStartWorkflow } from "./useRecipes";

const MOST_SONGS = 100;

/** Asks for a recipe's parameters and its song, by what the recipe says of itself. */
export function RecipeForm({ recipe }: { recipe: Recipe }) {
  const [values, setValues] = useState(() => firstValues(recipe));
  const [places, setPlaces] = useState<readonly string[]>(() => [newKey()]);
  const [songs, setSongs] = useState<Readonly<Record<string, Source | null>>>({});
  const [key, setKey] = useState(newKey);
  const [, navigate] = useLocation();
  const start = useStartWorkflow();
  const given = places.flatMap((place) => songs[place] ?? []);
  const bad = Object.entries(recipe.params).some(([name, param]) => wrong(param, values[name] ?? ""));
  const ready = given.length === places.length && !bad;
  const changed = () => setKey(newKey()); // another request is another workflow

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!ready) return;
    const [source] = given;
    const from = recipe.several ? { sources: given } : { source };
    const body = { recipe: recipe.name, params: paramsOf(recipe, values), ...from };
    start.mutate({ body, key }, { onSuccess: (made) => navigate(`/app/workflows/${made.id}`) });
  };
  const error = start.error instanceof Problem ? start.error : null;
  return (
    <Card title={t("params", { title: recipe.title })}>
      <form className={styles.form} onSubmit={submit}>
        <div className={styles.grid}>
          {Object.entries(recipe.params).map(([name, param]) => (
            <ParamField
              key={name}
              param={param}
              value={values[name] ?? ""}
              onChange={(value) => {
                setValues({ ...values, [name]: value });
                changed();
              }}
            />
          ))}
        </div>
        {places.map((place, number) => (
          <div key={place} className={styles.song}>
            <SongPicker
              legend={places.length > 1 ? t("song.nth", { count: number + 1 }) : t("song")}
              onChange={(source) => {
                setSongs((all) => ({ ...all, [place]: source }));
                changed();
              }}
            />
            {places.length > 1 ? (
              <IconButton
                label={t("song.less", { count: number + 1 })}
                onClick={() => setPlaces(places.filter((each) => each !== place))}
              >
                <X aria-hidden="true" />
              </IconButton>
            ) : null}
          </div>
        ))}
        {recipe.several && places.length < MOST_SONGS ? (
          <div>
            <Button icon={<Plus aria-hidden="true" />} onClick={() => setPlaces([...places, newKey()])}>
              {t("song.more")}
            </Button>
          </div>
        ) : null}
        {error ? (
          <ProblemPanel
            code={error.code}
            detail={error.detail}
            requestId={error.requestId}
            actions={{ retry: () => start.reset(), change: () => start.reset() }}
          />
        ) : null}
        <div>
          <Button type="submit" look="main" disabled={!ready || start.isPending}>
            {given.length === places.length ? t("start", { title: recipe.title }) : t("start.wait")}
          </Button>
        </div>
      </form>
    </Card>
  );
}
