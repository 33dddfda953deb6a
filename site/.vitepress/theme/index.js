import DefaultTheme from "vitepress/theme-without-fonts";
import { h } from "vue";
import CopyMarkdown from "./copy-markdown.vue";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet
import "./style.css";

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { "doc-before": () => h(CopyMarkdown) }),
};
